// Tables for a terminal and CSV for programs, from the same JSON rows.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace couplingd {

struct Column {
  std::string header;
  std::function<std::string(const JsonValue& row)> cell;
  bool right_aligned = false;
  bool flexible = false;  // may be shortened where the table is too wide
  bool optional = false;  // left out where every cell is absent
};

struct TableLayout {
  std::vector<Column> columns;
  // Text below a row, wrapped and indented; empty: none.
  std::function<std::string(const JsonValue& row)> note = {};
};

// A header line and a line per row, at most `width` columns wide as far as flexible columns allow.
std::string RenderTable(const JsonValue& rows, const TableLayout& layout, std::size_t width);

// RFC 4180 with a header line of the keys; numbers as they stand, null as an empty field, objects
// and arrays as JSON.
std::string RenderCsv(const JsonValue& rows, const std::vector<std::string_view>& keys);

// One row per line, so that it reads well and stays one JSON array.
std::string RenderJsonRows(const JsonValue& rows);

}  // namespace couplingd
