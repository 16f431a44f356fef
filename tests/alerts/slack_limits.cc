#include "tests/alerts/slack_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <set>

#include "base/json.h"
#include "base/utf8.h"

namespace couplingd::testing {
namespace {

// Characters as JavaScript counts them.
std::size_t Units(std::string_view text) {
  std::size_t units = 0;
  for (const unsigned char c : text) {
    if ((c & 0xc0) != 0x80) units += c >= 0xf0 ? 2 : 1;
  }
  return units;
}

class Checker {
 public:
  explicit Checker(CheckedMessage& found) : found_(found) {}

  void Message(std::string_view body) {
    const auto parsed = ParseJson(body, "message");
    if (!parsed) return Problem("message", parsed.error().Text());
    const JsonValue& message = *parsed;
    Members("message", message,
            {"text", "blocks", "channel", "ts", "thread_ts", "reply_broadcast", "unfurl_links",
             "unfurl_media", "metadata"});
    const JsonValue* text = FindMember(message, "text");
    if (!text || !text->IsString()) return Problem("text", "is missing");
    found_.fallback = text->GetString();
    Within("text", found_.fallback, 4000);
    Mrkdwn("text", found_.fallback);
    const JsonValue* blocks = FindMember(message, "blocks");
    if (!blocks || !blocks->IsArray()) return Problem("blocks", "are missing");
    if (blocks->Size() < 1 || blocks->Size() > 50) {
      Problem("blocks", fmt::format("are {}", blocks->Size()));
    }
    std::size_t characters = Units(found_.fallback);
    for (unsigned i = 0; i < blocks->Size(); ++i) {
      Block(fmt::format("blocks[{}]", i), (*blocks)[i]);
    }
    for (const std::string& each : found_.texts) characters += Units(each);
    if (characters > 12000) Problem("message", fmt::format("has {} characters", characters));
    JsonWriter whole;
    whole.Value(*blocks);
    if (Units(whole.Text()) > 13000) Problem("blocks", "are longer than 13,000 as JSON");
    if (const JsonValue* metadata = FindMember(message, "metadata")) Metadata(*metadata);
  }

 private:
  void Problem(const std::string& where, const std::string& what) {
    found_.problems.push_back(where + ": " + what);
  }

  void Members(const std::string& where, const JsonValue& object,
               const std::set<std::string>& known) {
    if (!object.IsObject()) return Problem(where, "is no object");
    for (const auto& member : object.GetObject()) {
      if (!known.contains(member.name.GetString())) {
        Problem(where, fmt::format("has an unknown member {}", member.name.GetString()));
      }
    }
  }

  void Within(const std::string& where, const std::string& text, std::size_t most) {
    if (text.empty()) Problem(where, "is empty");
    if (Units(text) > most) {
      Problem(where, fmt::format("has {} characters, {} are allowed", Units(text), most));
    }
    if (!IsValidUtf8(text)) Problem(where, "is not UTF-8");
    const bool printable = std::ranges::all_of(
        text, [](unsigned char c) { return c == '\n' || (c >= 0x20 && c != 0x7f); });
    if (!printable) Problem(where, "has control characters");
  }

  // & < > stand only in entities, in dates and in links.
  void Mrkdwn(const std::string& where, const std::string& text) {
    static const std::regex allowed(
        "&(amp|lt|gt);"
        "|<!date\\^[0-9]+\\^[^|<>]+\\|[^|<>]+>"
        "|<https?://[^|<>\\s]+\\|[^|<>]+>");
    const std::string rest = std::regex_replace(text, allowed, "");
    if (const std::size_t at = rest.find_first_of("&<>"); at != std::string::npos) {
      Problem(where, "is not escaped at: " + rest.substr(at, 20));
    }
  }

  void TextObject(const std::string& where, const JsonValue& object, const std::string& type,
                  std::size_t most) {
    Members(where, object, {"type", "text", type == "mrkdwn" ? "verbatim" : "emoji"});
    const auto found_type = GetString(object, "type", where);
    if (!found_type || *found_type != type) Problem(where, "is not of type " + type);
    const auto text = GetString(object, "text", where);
    if (!text) return Problem(where, text.error().Text());
    Within(where, *text, most);
    if (type == "mrkdwn") Mrkdwn(where, *text);
    if (type == "plain_text" && text->find('\n') != std::string::npos) {
      Problem(where, "has a line break");
    }
    found_.texts.push_back(*text);
  }

  void List(const std::string& where, const JsonValue& list, std::size_t most) {
    if (!list.IsArray() || list.Size() < 1 || list.Size() > 10) {
      return Problem(where, "is no list of 1 to 10");
    }
    for (unsigned i = 0; i < list.Size(); ++i) {
      TextObject(fmt::format("{}[{}]", where, i), list[i], "mrkdwn", most);
    }
  }

  void Block(const std::string& where, const JsonValue& block) {
    const auto type = GetString(block, "type", where);
    if (!type) return Problem(where, type.error().Text());
    if (*type == "header") {
      Members(where, block, {"type", "text"});
      TextObject(where, block["text"], "plain_text", 150);
      if (where == "blocks[0]") found_.header = found_.texts.back();
    } else if (*type == "section") {
      Members(where, block, {"type", "text", "fields"});
      const JsonValue* text = FindMember(block, "text");
      const JsonValue* fields = FindMember(block, "fields");
      if (!text && !fields) Problem(where, "has neither text nor fields");
      if (text) TextObject(where, *text, "mrkdwn", 3000);
      if (fields) List(where + ".fields", *fields, 2000);
    } else if (*type == "context") {
      Members(where, block, {"type", "elements"});
      List(where + ".elements", block["elements"], 3000);
    } else if (*type == "divider") {
      Members(where, block, {"type"});
    } else {
      Problem(where, "is of the unknown type " + *type);
    }
  }

  void Metadata(const JsonValue& metadata) {
    Members("metadata", metadata, {"event_type", "event_payload"});
    static const std::regex name("[a-zA-Z0-9_]{1,255}");
    const auto type = GetString(metadata, "event_type", "metadata");
    if (!type || !std::regex_match(*type, name)) Problem("metadata", "has no event_type");
    const JsonValue* payload = FindMember(metadata, "event_payload");
    if (!payload || !payload->IsObject()) return Problem("metadata", "has no event_payload");
    for (const auto& member : payload->GetObject()) {
      if (!member.value.IsString() && !member.value.IsNumber()) {
        Problem("metadata", "has a member that is neither text nor number");
      }
    }
  }

  CheckedMessage& found_;
};

}  // namespace

std::string CheckedMessage::All() const {
  std::string all;
  for (const std::string& text : texts) all += text + "\n";
  return all;
}

CheckedMessage CheckSlackMessage(std::string_view body) {
  CheckedMessage found;
  Checker(found).Message(body);
  return found;
}

int AlertsTold(const CheckedMessage& message) {
  if (message.header.empty()) return 1;
  static const std::regex digest("^\\S+ ([0-9]+) alerts? at once:.*");
  static const std::regex group("^\\S+ (([0-9]+ (STILL |FIRED AND )?[A-Z]+,? )+)\\(.*");
  std::smatch match;
  if (std::regex_match(message.header, match, digest)) return std::stoi(match[1]);
  if (!std::regex_match(message.header, match, group)) return 1;
  static const std::regex number("[0-9]+");
  const std::string counts = match[1];
  int sum = 0;
  for (std::sregex_iterator each(counts.begin(), counts.end(), number), end; each != end; ++each) {
    sum += std::stoi(each->str());
  }
  return sum;
}

}  // namespace couplingd::testing
