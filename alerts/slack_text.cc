#include "alerts/slack_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace couplingd {
namespace {

// One character as it will stand in the message.
struct Piece {
  std::string text;
  std::size_t cost;
};

// C1 controls, line and paragraph separators, and what turns the direction of writing.
bool IsUnseen(std::string_view character) {
  return (character >= "\xc2\x80" && character <= "\xc2\x9f") ||
         (character >= "\xe2\x80\xa8" && character <= "\xe2\x80\xae") ||
         (character >= "\xe2\x81\xa6" && character <= "\xe2\x81\xa9");
}

Piece EscapeCharacter(std::string_view character, bool plain) {
  const unsigned char c = static_cast<unsigned char>(character.front());
  if (!plain && c == '&') return {"&amp;", 5};
  if (!plain && c == '<') return {"&lt;", 4};
  if (!plain && c == '>') return {"&gt;", 4};
  if (c == '"' || c == '\\') return {std::string(character), 2};
  if (c == '\n') return plain ? Piece{" ", 1} : Piece{"\n", 2};
  if (c < 0x20 || c == 0x7f || IsUnseen(character)) return {" ", 1};
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

std::string Clamp(std::string_view text, std::size_t limit, bool plain) {
  const std::vector<Piece> pieces = Escape(text, plain);
  if (Fitting(pieces, 0, limit) == pieces.size()) return Join(pieces, 0, pieces.size());
  const auto note = [&](std::size_t left_out) {
    return plain ? std::string("…") : fmt::format("… ({} characters left out)", left_out);
  };
  const std::size_t room = limit - std::min(limit, note(pieces.size()).size());
  const std::size_t count = Fitting(pieces, 0, room);
  return Join(pieces, 0, count) + note(pieces.size() - count);
}

// Where a line or a word ends, if one ends in the last third.
std::size_t BreakBefore(const std::vector<Piece>& pieces, std::size_t begin, std::size_t count) {
  if (begin + count == pieces.size()) return count;
  for (const std::string_view separator : {"\n", " "}) {
    for (std::size_t i = count; i > count * 2 / 3; --i) {
      if (pieces[begin + i - 1].text == separator) return i;
    }
  }
  return count;
}

void WriteMrkdwn(JsonWriter& json, const std::string& text) {
  json.BeginObject().Field("type", "mrkdwn").Field("text", text).Field("verbatim", true);
  json.EndObject();
}

}  // namespace

std::string SlackClamp(std::string_view text, std::size_t limit) {
  return Clamp(text, limit, false);
}

std::string SlackEscape(std::string_view text) {
  const std::vector<Piece> pieces = Escape(text, false);
  return Join(pieces, 0, pieces.size());
}

std::string SlackPlain(std::string_view text, std::size_t limit) {
  return Clamp(text, limit, true);
}

bool FitsSlackPlain(std::string_view text, std::size_t limit) {
  const std::vector<Piece> pieces = Escape(text, true);
  return Fitting(pieces, 0, limit) == pieces.size();
}

std::size_t SlackCost(std::string_view escaped) {
  JsonWriter json;
  json.Value(escaped);
  return json.Text().size() - 2;
}

std::string SlackCode(std::string text, std::size_t limit) {
  std::ranges::replace(text, '`', '\'');  // it would end the code
  std::ranges::replace(text, '\n', ' ');
  return fmt::format("`{}`", SlackClamp(text, limit - 2));
}

std::string SlackLink(std::string_view url, std::string_view name, std::size_t limit) {
  const bool is_web = url.starts_with("https://") || url.starts_with("http://");
  const bool is_clean = std::ranges::all_of(url, [](unsigned char c) {
    return c > 0x20 && c < 0x7f && c != '<' && c != '>' && c != '|' && c != '"' && c != '\\';
  });
  const std::string link = fmt::format("<{}|{}>", SlackEscape(url), SlackEscape(name));
  if (is_web && is_clean && SlackCost(link) <= limit) return link;
  return fmt::format("{}: {}", SlackEscape(name), SlackClamp(url, limit - name.size() - 2));
}

std::string SlackTime(UnixMillis time) {
  std::string utc = FormatTime(time).substr(0, 16);  // "2026-11-23T14:05"
  std::ranges::replace(utc, 'T', ' ');
  utc += " UTC";
  if (time < 1000) return utc;
  return fmt::format("<!date^{}^{{date_short_pretty}} {{time}}|{}>", time / 1000, utc);
}

std::string SlackHeaderBlock(const std::string& plain) {
  JsonWriter json;
  json.BeginObject().Field("type", "header").Key("text").BeginObject();
  // Without emoji: names such as "a:b:c" stay as they are.
  json.Field("type", "plain_text").Field("text", plain).Field("emoji", false);
  json.EndObject().EndObject();
  return json.Text();
}

std::string SlackSectionBlock(const std::string& mrkdwn) {
  JsonWriter json;
  json.BeginObject().Field("type", "section").Key("text");
  WriteMrkdwn(json, mrkdwn);
  json.EndObject();
  return json.Text();
}

std::string SlackContextBlock(const std::string& mrkdwn) {
  JsonWriter json;
  json.BeginObject().Field("type", "context").Key("elements").BeginArray();
  WriteMrkdwn(json, mrkdwn);
  json.EndArray().EndObject();
  return json.Text();
}

std::vector<std::string> SlackSections(const std::string& lead, std::string_view text,
                                       std::size_t budget, std::string_view where) {
  const std::size_t overhead = SlackSectionBlock("").size() + 1;  // and the comma
  const std::size_t note_room = 60 + SlackCost(where);
  constexpr std::size_t kLeastWorthASection = 200;
  const std::vector<Piece> pieces = Escape(text, false);
  std::vector<std::string> sections;
  std::size_t extra = SlackCost(lead);
  for (std::size_t at = 0; at < pieces.size();) {
    const std::size_t limit = std::min(kSlackSectionLimit, budget - overhead) - extra;
    const std::size_t rest = pieces.size() - at;
    const bool is_last = Fitting(pieces, at, limit) == rest;
    const std::size_t count =
        is_last ? rest : BreakBefore(pieces, at, Fitting(pieces, at, limit - note_room));
    std::string body = (sections.empty() ? lead : "") + Join(pieces, at, count);
    at += count;
    budget -= overhead + SlackCost(body);
    extra = 0;
    if (at < pieces.size() && budget <= overhead + note_room + kLeastWorthASection) {
      body += fmt::format("\n… ({} characters left out; {})", pieces.size() - at, where);
      at = pieces.size();
    }
    sections.push_back(SlackSectionBlock(body));
  }
  return sections;
}

}  // namespace couplingd
