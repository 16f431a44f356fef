#include "base/units.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace couplingd {
namespace {

// Takes a non-negative decimal number off the front of the text.
std::optional<double> TakeNumber(std::string_view& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || !std::isfinite(number)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::string_view TakeUnit(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && std::isalpha(static_cast<unsigned char>(text[length]))) ++length;
  const std::string_view unit = text.substr(0, length);
  text.remove_prefix(length);
  return unit;
}

template <std::size_t N>
std::optional<double> Factor(const std::pair<std::string_view, double> (&table)[N],
                             std::string_view unit) {
  for (const auto& [name, factor] : table) {
    if (name == unit) return factor;
  }
  return std::nullopt;
}

constexpr std::pair<std::string_view, double> kDurations[] = {
    {"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}};
constexpr std::pair<std::string_view, double> kSizes[] = {
    {"B", 1},     {"kB", 1e3},   {"KB", 1e3},      {"MB", 1e6},           {"GB", 1e9},
    {"TB", 1e12}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}};
constexpr std::pair<std::string_view, double> kCounts[] = {{"", 1},    {"k", 1e3}, {"K", 1e3},
                                                           {"M", 1e6}, {"B", 1e9}, {"T", 1e12}};

}  // namespace

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  const std::string_view whole = text;
  double total = 0;
  do {
    const std::optional<double> number = TakeNumber(text);
    const std::optional<double> factor = number ? Factor(kDurations, TakeUnit(text)) : std::nullopt;
    if (!factor) {
      return Fail(ErrorKind::kInvalidData, fmt::format("\"{}\" is not a duration", whole),
                  "write 250ms, 30s, 5m, 2h, 7d or a sum such as 1h30m");
    }
    total += *number * *factor;
  } while (!text.empty());
  if (total > 9e15) return Fail(ErrorKind::kInvalidData, fmt::format("\"{}\" is too long", whole));
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::llround(total)));
}

Result<std::uint64_t> ParseSize(std::string_view text) {
  const std::string_view whole = text;
  const std::optional<double> number = TakeNumber(text);
  const std::optional<double> factor = number ? Factor(kSizes, TakeUnit(text)) : std::nullopt;
  if (!factor || !text.empty() || *number * *factor > 9e18) {
    return Fail(ErrorKind::kInvalidData, fmt::format("\"{}\" is not a size", whole),
                "write 512MiB, 8GiB, 100MB or 123B");
  }
  return static_cast<std::uint64_t>(std::llround(*number * *factor));
}

Result<double> ParseCount(std::string_view text) {
  const std::string_view whole = text;
  const std::optional<double> number = TakeNumber(text);
  const std::optional<double> factor = number ? Factor(kCounts, TakeUnit(text)) : std::nullopt;
  if (!factor || !text.empty()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("\"{}\" is not a count", whole),
                "write 70M, 1.4B, 3e9 or a plain number");
  }
  return *number * *factor;
}

std::string FormatDuration(std::chrono::milliseconds span) {
  std::int64_t rest = span.count();
  if (rest == 0) return "0s";
  std::string text = rest < 0 ? "-" : "";
  rest = std::abs(rest);
  for (const auto& [unit, size] : {std::pair<const char*, std::int64_t>{"d", 86400000},
                                   {"h", 3600000},
                                   {"m", 60000},
                                   {"s", 1000},
                                   {"ms", 1}}) {
    if (rest >= size) text += fmt::format("{}{}", rest / size, unit);
    rest %= size;
  }
  return text;
}

std::string FormatSize(std::uint64_t bytes) {
  double value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return bytes < 1024 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, unit);
}

std::string FormatCount(double count) {
  for (const auto& [unit, size] :
       {std::pair<const char*, double>{"T", 1e12}, {"B", 1e9}, {"M", 1e6}, {"k", 1e3}}) {
    if (std::abs(count) >= size) return fmt::format("{:.4g}{}", count / size, unit);
  }
  return fmt::format("{:.4g}", count);
}

}  // namespace couplingd
