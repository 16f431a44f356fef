#include "cli/cells.h"

#include <fmt/format.h>

#include <cmath>

#include "base/units.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

std::string Signed(double value) { return fmt::format("{:.2f}", value == 0 ? 0.0 : value); }

}  // namespace

std::optional<double> NumberOf(const JsonValue& row, std::string_view key) {
  const JsonValue* value = FindMember(row, key);
  return value && value->IsNumber() ? std::optional(value->GetDouble()) : std::nullopt;
}

std::string TextOf(const JsonValue& row, std::string_view key) {
  const JsonValue* value = FindMember(row, key);
  return value && value->IsString() ? std::string(value->GetString(), value->GetStringLength())
                                    : "";
}

std::string TextCell(const JsonValue& row, std::string_view key) {
  const std::string text = TextOf(row, key);
  return text.empty() ? std::string(kAbsent) : text;
}

std::string TextsCell(const JsonValue& row, std::string_view key) {
  std::string text;
  const JsonValue* texts = FindMember(row, key);
  if (!texts || !texts->IsArray()) return text;
  for (const JsonValue& one : texts->GetArray()) {
    if (one.IsString()) text += (text.empty() ? "" : ", ") + std::string(one.GetString());
  }
  return text;
}

std::string IntegerCell(const JsonValue& row, std::string_view key) {
  const auto number = NumberOf(row, key);
  return number ? fmt::format("{:.0f}", *number) : std::string(kAbsent);
}

std::string CountCell(const JsonValue& row, std::string_view key) {
  const auto number = NumberOf(row, key);
  return number ? FormatCount(*number) : std::string(kAbsent);
}

std::string NumberCell(const JsonValue& row, std::string_view key) {
  const auto number = NumberOf(row, key);
  if (!number) return std::string(kAbsent);
  return std::abs(*number) >= 1e4 ? FormatCount(*number) : Signed(*number);
}

std::string TimeCell(const JsonValue& row, std::string_view key) {
  std::string text = TextOf(row, key);
  if (text.size() < 16) return std::string(kAbsent);
  text.resize(16);
  text[10] = ' ';
  return text;
}

std::string ListCell(const JsonValue& row, std::string_view key) {
  const JsonValue* counts = FindMember(row, key);
  std::string text;
  if (counts && counts->IsObject()) {
    for (const auto& member : counts->GetObject()) {
      if (!member.value.IsNumber()) continue;
      text += fmt::format("{}{:.0f} {}", text.empty() ? "" : ", ", member.value.GetDouble(),
                          std::string_view(member.name.GetString(), member.name.GetStringLength()));
    }
  }
  return text.empty() ? std::string(kAbsent) : text;
}

std::string IntervalCell(const JsonValue& row) {
  const bool has_estimate = FindMember(row, "gamma") || FindMember(row, "value");
  if (!has_estimate) return std::string(kAbsent);
  const auto end = [&](std::string_view key, std::string_view unbounded) {
    return FindMember(row, key) ? NumberCell(row, key) : std::string(unbounded);
  };
  return fmt::format("[{}, {}]", end("low", "-∞"), end("high", "∞"));
}

std::string ScoreText(std::optional<double> value, std::string_view metric) {
  if (!value) return std::string(kAbsent);
  return IsFractionMetric(metric) ? fmt::format("{:.2f}%", 100 * *value)
                                  : fmt::format("{:.4g}", *value);
}

}  // namespace couplingd
