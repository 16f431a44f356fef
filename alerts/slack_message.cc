// The budget: everything but the description has a limit of its own, and what those leave of the
// message's limit is the description's. Lengths are "costs": bytes after escaping for Slack and for
// JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "alerts/message.h"
#include "base/json.h"

namespace couplingd {
namespace {

constexpr std::size_t kFallbackLimit = 600;
constexpr std::size_t kSummaryLimit = 1200;
constexpr std::size_t kResolutionLimit = 1200;
constexpr std::size_t kFieldValueLimit = 150;
constexpr std::size_t kMostFields = 10;
constexpr std::size_t kActionsLimit = 2400;
constexpr std::size_t kLookLimit = 1000;
constexpr std::size_t kContextLimit = 500;
constexpr std::size_t kLeastDescription = 200;

// One character as it will stand in the message.
struct Piece {
  std::string text;
  std::size_t cost;
};

// Control characters become blanks, all but the line break.
Piece EscapeCharacter(std::string_view character, bool plain) {
  const unsigned char c = static_cast<unsigned char>(character.front());
  if (!plain && c == '&') return {"&amp;", 5};
  if (!plain && c == '<') return {"&lt;", 4};
  if (!plain && c == '>') return {"&gt;", 4};
  if (c == '"' || c == '\\') return {std::string(character), 2};
  if (c == '\n') return plain ? Piece{" ", 1} : Piece{"\n", 2};
  if (c < 0x20 || c == 0x7f) return {" ", 1};
  return {std::string(character), character.size()};
}

std::size_t CharacterLength(unsigned char lead) {
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

std::vector<Piece> Escape(std::string_view text, bool plain) {
  const std::string valid = ToValidUtf8(text);
  std::vector<Piece> pieces;
  for (std::size_t at = 0; at < valid.size();) {
    const std::size_t length = CharacterLength(static_cast<unsigned char>(valid[at]));
    pieces.push_back(EscapeCharacter(std::string_view(valid).substr(at, length), plain));
    at += length;
  }
  return pieces;
}

// How many pieces from `begin` cost at most `limit`.
std::size_t Fitting(const std::vector<Piece>& pieces, std::size_t begin, std::size_t limit) {
  std::size_t cost = 0, count = 0;
  while (begin + count < pieces.size() && cost + pieces[begin + count].cost <= limit) {
    cost += pieces[begin + count++].cost;
  }
  return count;
}

std::string Join(const std::vector<Piece>& pieces, std::size_t begin, std::size_t count) {
  std::string text;
  for (std::size_t i = begin; i < begin + count; ++i) text += pieces[i].text;
  return text;
}

// The text, escaped; where it costs more than the limit, its beginning and a note of what is
// missing.
std::string Clamp(std::string_view text, std::size_t limit, bool plain = false) {
  const std::vector<Piece> pieces = Escape(text, plain);
  if (Fitting(pieces, 0, limit) == pieces.size()) return Join(pieces, 0, pieces.size());
  const auto note = [&](std::size_t left_out) {
    return plain ? std::string("…") : fmt::format(" … ({} characters left out)", left_out);
  };
  const std::size_t room = limit - std::min(limit, note(pieces.size()).size());
  const std::size_t count = Fitting(pieces, 0, room);
  return Join(pieces, 0, count) + note(pieces.size() - count);
}

// Splits where a line or a word ends, if one ends in the last third.
std::size_t BreakBefore(const std::vector<Piece>& pieces, std::size_t begin, std::size_t count) {
  if (begin + count == pieces.size()) return count;
  for (const std::string_view separator : {"\n", " "}) {
    for (std::size_t i = count; i > count * 2 / 3; --i) {
      if (pieces[begin + i - 1].text == separator) return i;
    }
  }
  return count;
}

std::string Section(const std::string& escaped) {
  JsonWriter json;
  json.BeginObject().Field("type", "section").Key("text").BeginObject();
  json.Field("type", "mrkdwn").Field("text", escaped).Field("verbatim", true);
  json.EndObject().EndObject();
  return json.Text();
}

std::string Header(const std::string& text) {
  JsonWriter json;
  json.BeginObject().Field("type", "header").Key("text").BeginObject();
  json.Field("type", "plain_text").Field("text", text).EndObject().EndObject();
  return json.Text();
}

std::string Context(const std::string& escaped) {
  JsonWriter json;
  json.BeginObject().Field("type", "context").Key("elements").BeginArray().BeginObject();
  json.Field("type", "mrkdwn").Field("text", escaped).Field("verbatim", true);
  json.EndObject().EndArray().EndObject();
  return json.Text();
}

using Fields = std::vector<std::pair<std::string, std::string>>;

std::string FieldsBlock(const Fields& fields) {
  JsonWriter json;
  json.BeginObject().Field("type", "section").Key("fields").BeginArray();
  for (const auto& [name, value] : fields) {
    json.BeginObject().Field("type", "mrkdwn").Field("verbatim", true);
    json.Field("text", fmt::format("*{}*\n{}", Clamp(name, kFieldValueLimit),
                                   Clamp(value, kFieldValueLimit)));
    json.EndObject();
  }
  json.EndArray().EndObject();
  return json.Text();
}

std::string NumberText(double value) {
  const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
  return whole ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
}

Fields FieldsOf(const AlertNews& news) {
  const Alert& alert = news.alert;
  const Finding& finding = alert.finding;
  Fields fields = {{finding.labels.contains("run") ? "Run" : "Run or family", finding.run},
                   {"Severity", std::string(ToString(finding.severity))},
                   {"Rule", finding.rule},
                   {"Fired at", FormatTime(alert.starts_at)}};
  if (alert.ends_at != 0) fields.emplace_back("Over at", FormatTime(alert.ends_at));
  std::size_t left = finding.values.size();
  for (const auto& [name, value] : finding.values) {
    if (fields.size() + 1 == kMostFields && left > 1) {
      fields.emplace_back("More numbers", fmt::format("{}, in the text or in couplingctl", left));
      break;
    }
    fields.emplace_back(name, NumberText(value));
    --left;
  }
  return fields;
}

std::string HeadlineOf(const AlertNews& news) {
  const Finding& finding = news.alert.finding;
  return fmt::format("{} ({}): {}", StateWord(news), ToString(finding.severity), finding.summary);
}

// A block quote would swallow what follows, and backticks would end the code.
std::string CodeText(std::string text) {
  std::ranges::replace(text, '`', '\'');
  return text;
}

std::string ActionsOf(const Finding& finding) {
  std::string text;
  for (const Intervention& intervention : finding.interventions) {
    text +=
        fmt::format("• {}: {} {}\n", intervention.kind, intervention.action, intervention.reason);
  }
  return text;
}

// Blocks before and after the description.
struct Frame {
  std::vector<std::string> before, after;
};

Frame FrameOf(const Notification& notification) {
  const AlertNews& news = notification.news.front();
  const Alert& alert = news.alert;
  const Finding& finding = alert.finding;
  const std::string headline = HeadlineOf(news);
  Frame frame;
  frame.before.push_back(Header(Clamp(headline, kSlackHeaderLimit, true)));
  if (alert.is_test) {
    frame.before.push_back(
        Section("*This is a test message of couplingctl alerts test. Nothing is wrong.*"));
  }
  if (Clamp(headline, kSlackHeaderLimit, true) != Clamp(headline, headline.size() * 2 + 1, true)) {
    frame.before.push_back(Section(Clamp(finding.summary, kSummaryLimit)));
  }
  if (alert.state == AlertState::kResolved) {
    frame.before.push_back(Section("*It is over:* " + Clamp(alert.resolution, kResolutionLimit)));
  }
  frame.after.push_back(FieldsBlock(FieldsOf(news)));
  const std::string actions = ActionsOf(finding);
  if (alert.state == AlertState::kFiring && !actions.empty()) {
    frame.after.push_back(Section("*What to do*\n" + Clamp(actions, kActionsLimit)));
  }
  std::string look =
      fmt::format("*How to look*\n`{}`", Clamp(CodeText(LookCommand(finding)), kLookLimit / 2));
  const auto runbook = finding.labels.find("runbook_url");
  if (runbook != finding.labels.end()) {
    look += "\nRunbook: " + Clamp(runbook->second, kLookLimit / 2);
  }
  frame.after.push_back(Section(look));
  frame.after.push_back(
      Context(Clamp(fmt::format("couplingd · delivery {} · alert {} · transition {}",
                                notification.delivery_id, alert.key, alert.sequence),
                    kContextLimit)));
  return frame;
}

std::string Assemble(const std::string& fallback, const std::vector<std::string>& blocks) {
  JsonWriter text;
  text.Value(fallback);
  return fmt::format("{{\"text\":{},\"blocks\":[{}]}}", text.Text(), fmt::join(blocks, ","));
}

// The description in sections that together cost at most `budget`.
std::vector<std::string> DescriptionSections(std::string_view title, std::string_view text,
                                             std::size_t budget) {
  const std::string lead = title.empty() ? "" : fmt::format("*{}*\n", title);
  const std::size_t overhead = Section("").size() + 1;  // and the comma
  const std::vector<Piece> pieces = Escape(text, false);
  std::vector<std::string> sections;
  std::size_t at = 0;
  std::size_t extra = lead.size() + 1;
  const std::size_t note_room = 90;
  while (at < pieces.size() && budget > overhead + extra + note_room) {
    const std::size_t limit = std::min(kSlackSectionLimit, budget - overhead) - extra;
    const bool is_last = Fitting(pieces, at, limit) == pieces.size() - at;
    const std::size_t count = is_last
                                  ? pieces.size() - at
                                  : BreakBefore(pieces, at, Fitting(pieces, at, limit - note_room));
    std::size_t cost = overhead + extra;
    for (std::size_t i = at; i < at + count; ++i) cost += pieces[i].cost;
    std::string body = (sections.empty() ? lead : "") + Join(pieces, at, count);
    at += count;
    budget -= cost;
    extra = 0;
    if (at < pieces.size() && budget <= overhead + note_room + kLeastDescription) {
      body += fmt::format("\n… ({} characters left out; couplingctl alerts shows all)",
                          pieces.size() - at);
      at = pieces.size();
    }
    sections.push_back(Section(body));
  }
  return sections;
}

}  // namespace

std::string RenderSlack(const Notification& notification) {
  const AlertNews& news = notification.news.front();
  const Alert& alert = news.alert;
  const std::string fallback = Clamp(HeadlineOf(news), kFallbackLimit);
  Frame frame = FrameOf(notification);
  std::vector<std::string> blocks = frame.before;
  blocks.insert(blocks.end(), frame.after.begin(), frame.after.end());
  const std::size_t budget = kSlackMessageLimit - Assemble(fallback, blocks).size() - 1;

  std::vector<std::string> sections =
      DescriptionSections(alert.state == AlertState::kResolved ? "What had fired" : "",
                          alert.finding.description, budget);
  blocks = std::move(frame.before);
  blocks.insert(blocks.end(), sections.begin(), sections.end());
  blocks.insert(blocks.end(), frame.after.begin(), frame.after.end());
  return Assemble(fallback, blocks);
}

}  // namespace couplingd
