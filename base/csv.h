// CSV as RFC 4180 has it: quoted fields may hold commas, doubled quotes and line breaks; lines end
// in LF or CRLF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace couplingd {

struct CsvRow {
  std::size_t line = 0;  // where the row begins, from 1
  std::vector<std::string> fields;
};

// Rows of `text`, a byte order mark and empty lines left out. kInvalidData with `source`:line for a
// quote that is not closed, text after a closing quote, a NUL byte or invalid UTF-8.
Result<std::vector<CsvRow>> ParseCsv(std::string_view text, std::string_view source);

// CSV with a header line; every row has as many fields as the header.
class CsvTable {
 public:
  static Result<CsvTable> Parse(std::string_view text, std::string_view source);
  static Result<CsvTable> Read(const std::string& path);

  const std::string& source() const { return source_; }
  const std::vector<CsvRow>& rows() const { return rows_; }
  // The column of that name; kInvalidData that lists the columns where there is none.
  Result<std::size_t> Column(std::string_view name) const;

 private:
  std::string source_;
  std::vector<std::string> header_;
  std::vector<CsvRow> rows_;
};

// The words of a field that lists several, blanks between them.
std::vector<std::string> Words(const std::string& field);

}  // namespace couplingd
