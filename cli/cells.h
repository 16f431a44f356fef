// Cells of tables, from a row's members. An absent value shows as an em dash.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace couplingd {

inline constexpr std::string_view kAbsent = "—";

std::string TextCell(const JsonValue& row, std::string_view key);
std::string IntegerCell(const JsonValue& row, std::string_view key);
std::string CountCell(const JsonValue& row, std::string_view key);   // 1.4B
std::string NumberCell(const JsonValue& row, std::string_view key);  // four digits
std::string TimeCell(const JsonValue& row, std::string_view key);    // 2026-11-23 14:05 (UTC)
std::string TextsCell(const JsonValue& row, std::string_view key);   // ["a", "b"] as "a, b"
std::string ListCell(const JsonValue& row, std::string_view key);  // {"a": 1, "b": 2} as "1 a, 2 b"
// "[low, high]"; a missing end next to an estimate is unbounded.
std::string IntervalCell(const JsonValue& row);
// A score as percent where its metric is a share, else with four digits.
std::string ScoreText(std::optional<double> value, std::string_view metric);

std::optional<double> NumberOf(const JsonValue& row, std::string_view key);
std::string TextOf(const JsonValue& row, std::string_view key);  // empty where absent

}  // namespace couplingd
