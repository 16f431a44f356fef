#include <fmt/format.h>

#include <algorithm>

#include "alerts/mail_message.h"
#include "base/base64.h"
#include "base/json.h"

namespace couplingd {
namespace {

constexpr std::size_t kMostLine = 76;
constexpr std::size_t kWordBytes = 42;  // of text in one encoded word: 75 characters with its frame

bool ContinuesCharacter(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

std::string MailHeaderText(std::string_view text, std::size_t name_length) {
  std::string clean = ToValidUtf8(text);
  bool is_plain = clean.size() + name_length <= kMostLine;
  for (char& c : clean) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = ' ';
    is_plain = is_plain && byte < 0x80;
  }
  if (is_plain && clean.find("=?") == std::string::npos) return clean;
  std::string words;
  for (std::size_t at = 0; at < clean.size();) {
    std::size_t end = std::min(
        at + kWordBytes - (at == 0 ? std::min(name_length, kWordBytes / 2) : 0), clean.size());
    while (end < clean.size() && ContinuesCharacter(clean[end])) --end;
    if (!words.empty()) words += "\r\n ";
    words += fmt::format("=?UTF-8?B?{}?=", ToBase64(std::string_view(clean).substr(at, end - at)));
    at = end;
  }
  return words;
}

std::string QuotedPrintable(std::string_view text) {
  std::string encoded;
  std::size_t column = 0;
  // Mail servers change a dot and the word From at a line's begin, and blanks at its end.
  const auto unit_at = [&](std::size_t at) {
    const unsigned char c = static_cast<unsigned char>(text[at]);
    const bool ends_line = at + 1 == text.size() || text[at + 1] == '\n';
    const bool is_word = (c > 0x20 && c < 0x7f && c != '=') || (c == ' ' && !ends_line);
    const bool is_changed = column == 0 && (c == '.' || text.substr(at).starts_with("From "));
    return is_word && !is_changed ? std::string(1, static_cast<char>(c))
                                  : fmt::format("={:02X}", c);
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n') {
      encoded += "\r\n";
      column = 0;
      continue;
    }
    if (column + unit_at(at).size() > kMostLine - 1) {
      encoded += "=\r\n";
      column = 0;
    }
    const std::string unit = unit_at(at);
    encoded += unit;
    column += unit.size();
  }
  return encoded;
}

std::string Base64Lines(std::string_view bytes) {
  const std::string text = ToBase64(bytes);
  std::string lines;
  for (std::size_t at = 0; at < text.size(); at += kMostLine) {
    lines += text.substr(at, kMostLine) + "\r\n";
  }
  return lines;
}

}  // namespace couplingd
