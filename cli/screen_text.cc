#include "cli/screen_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/json.h"
#include "base/units.h"

namespace couplingd {
namespace {

struct CodePoint {
  std::uint32_t value;
  std::string_view bytes;
};

// REQUIRES: valid UTF-8.
std::vector<CodePoint> CodePoints(std::string_view text) {
  std::vector<CodePoint> points;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t value = size == 1 ? lead : lead & (0x7fu >> size);
    for (std::size_t k = 1; k < size; ++k) {
      value = value << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fu);
    }
    points.push_back({value, text.substr(i, size)});
    i += size;
  }
  return points;
}

bool SteersTerminal(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200e && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

bool Combines(std::uint32_t c) {
  return (c >= 0x300 && c <= 0x36f) || c == 0x200b || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f);
}

}  // namespace

std::string Printable(std::string_view text, bool keep_lines) {
  const std::string valid = ToValidUtf8(text);
  std::string printable;
  for (const CodePoint& point : CodePoints(valid)) {
    if (!SteersTerminal(point.value) || (keep_lines && point.value == '\n')) {
      printable += point.bytes;
    } else if (point.value < 0x100) {
      printable += fmt::format("\\x{:02x}", point.value);
    } else {
      printable += fmt::format("\\u{{{:x}}}", point.value);
    }
  }
  return printable;
}

std::string ToAscii(std::string_view text) {
  static constexpr std::pair<std::uint32_t, std::string_view> kNames[] = {
      {0x2014, "-"},   {0x2013, "-"},  {0xb1, "+-"},   {0x3b3, "gamma"},
      {0x2026, "..."}, {0xd7, "x"},    {0x2192, "->"}, {0x221e, "inf"},
      {0x2212, "-"},   {0x2082, "2"},  {0x2081, "1"},  {0x2265, ">="},
      {0x2264, "<="},  {0x2260, "!="}, {0x394, "d"},   {0xb7, "."}};
  const std::string valid = ToValidUtf8(text);
  std::string ascii;
  for (const CodePoint& point : CodePoints(valid)) {
    if (point.value < 0x80) {
      ascii += point.bytes;
      continue;
    }
    const auto name =
        std::ranges::find(kNames, point.value, &std::pair<std::uint32_t, std::string_view>::first);
    ascii += name == std::end(kNames) ? "?" : name->second;
  }
  return ascii;
}

std::size_t DisplayWidth(std::string_view text) {
  const std::string valid = ToValidUtf8(text);
  return static_cast<std::size_t>(std::ranges::count_if(
      CodePoints(valid), [](const CodePoint& point) { return !Combines(point.value); }));
}

std::string RoughSpan(std::chrono::milliseconds span) {
  using namespace std::chrono;
  if (span >= days(1)) return FormatDuration(floor<hours>(span));
  if (span >= hours(1)) return FormatDuration(floor<minutes>(span));
  return FormatDuration(floor<seconds>(span));
}

std::string Shorten(std::string_view text, std::size_t width) {
  const std::string valid = ToValidUtf8(text);
  const std::vector<CodePoint> points = CodePoints(valid);
  if (points.size() <= width) return valid;
  if (width == 0) return "";
  const std::size_t head = (width - 1) / 2;
  const std::size_t tail = width - 1 - head;
  std::string shortened;
  for (std::size_t i = 0; i < head; ++i) shortened += points[i].bytes;
  shortened += "…";
  for (std::size_t i = points.size() - tail; i < points.size(); ++i) shortened += points[i].bytes;
  return shortened;
}

std::vector<std::string> Wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    std::string_view paragraph = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    std::string line;
    while (!paragraph.empty()) {
      const std::size_t blank = paragraph.find(' ');
      std::string word(paragraph.substr(0, blank));
      paragraph.remove_prefix(blank == std::string_view::npos ? paragraph.size() : blank + 1);
      if (!line.empty() && DisplayWidth(line) + 1 + DisplayWidth(word) > width) {
        lines.push_back(std::exchange(line, ""));
      }
      line += line.empty() ? word : " " + word;
      while (DisplayWidth(line) > width) {
        const std::vector<CodePoint> points = CodePoints(line);
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < width; ++i) bytes += points[i].bytes.size();
        lines.push_back(line.substr(0, bytes));
        line.erase(0, bytes);
      }
    }
    lines.push_back(line);
  }
  return lines;
}

}  // namespace couplingd
