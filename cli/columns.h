// Columns of tables (table.h) by what their cells hold. Internal to the views.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "cli/cells.h"
#include "cli/table.h"

namespace couplingd {

using CellMaker = std::string (*)(const JsonValue&, std::string_view);

inline Column Cell(std::string header, std::string_view key, CellMaker make, bool right = false,
                   bool flexible = false) {
  return {std::move(header), [key, make](const JsonValue& row) { return make(row, key); }, right,
          flexible};
}
inline Column Text(std::string header, std::string_view key) {
  return Cell(std::move(header), key, TextCell, false, true);
}
inline Column Integer(std::string header, std::string_view key) {
  return Cell(std::move(header), key, IntegerCell, true);
}
inline Column Count(std::string header, std::string_view key) {
  return Cell(std::move(header), key, CountCell, true);
}
inline Column Number(std::string header, std::string_view key) {
  return Cell(std::move(header), key, NumberCell, true);
}
inline Column Optional(Column column) {
  column.optional = true;
  return column;
}
inline Column Interval() {
  return {"interval", [](const JsonValue& row) { return IntervalCell(row); }, true};
}

// A share as percent with one decimal, without its sign.
inline Column Percent(std::string header, std::string_view key) {
  return {std::move(header),
          [key](const JsonValue& row) {
            const auto share = NumberOf(row, key);
            return share ? fmt::format("{:.1f}", 100 * *share) : std::string(kAbsent);
          },
          true};
}

}  // namespace couplingd
