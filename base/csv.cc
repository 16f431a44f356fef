#include "base/csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/files.h"
#include "base/utf8.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxFields = 1024;
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;

class CsvParser {
 public:
  CsvParser(std::string_view text, std::string_view source) : text_(text), source_(source) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  Result<std::vector<CsvRow>> Rows() {
    std::vector<CsvRow> rows;
    while (position_ < text_.size()) {
      CsvRow row = TRY(Row());
      if (row.fields.size() > 1 || !row.fields[0].empty()) rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  Result<CsvRow> Row() {
    CsvRow row{.line = line_};
    do {
      if (row.fields.size() == kMaxFields) return Problem("the row has too many fields");
      row.fields.push_back(TRY(Peek() == '"' ? Quoted() : Plain()));
    } while (Skip(','));
    Skip('\r');
    if (position_ < text_.size() && !Skip('\n')) {
      return Problem("a closing quote must be followed by a comma or the end of the line");
    }
    return row;
  }

  Result<std::string> Plain() {
    const std::size_t end = std::min(text_.find_first_of(",\r\n", position_), text_.size());
    return std::string(text_.substr(std::exchange(position_, end), end - position_));
  }

  Result<std::string> Quoted() {
    const std::size_t opened_at = line_;
    std::string field;
    for (++position_; position_ < text_.size(); ++position_) {
      if (text_[position_] == '"') {
        ++position_;
        if (Peek() != '"') return field;
      }
      line_ += text_[position_] == '\n';
      field += text_[position_];
    }
    line_ = opened_at;
    return Problem("a quote is opened and never closed");
  }

  char Peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  bool Skip(char c) {
    if (Peek() != c || position_ >= text_.size()) return false;
    line_ += c == '\n';
    ++position_;
    return true;
  }
  std::unexpected<Error> Problem(std::string_view cause) const {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}:{}: {}", source_, line_, cause));
  }

  std::string_view text_;
  std::string_view source_;
  std::size_t position_ = 0;
  std::size_t line_ = 1;
};

}  // namespace

Result<std::vector<CsvRow>> ParseCsv(std::string_view text, std::string_view source) {
  TRY(CheckTextFile(text, source));
  return CsvParser(text, source).Rows();
}

Result<CsvTable> CsvTable::Read(const std::string& path) {
  return Parse(TRY(ReadFile(path, kMaxFileBytes)), path);
}

Result<CsvTable> CsvTable::Parse(std::string_view text, std::string_view source) {
  CsvTable table;
  table.source_ = source;
  table.rows_ = TRY(ParseCsv(text, source));
  if (table.rows_.size() < 2) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: no row below a header line", source));
  }
  table.header_ = std::move(table.rows_.front().fields);
  table.rows_.erase(table.rows_.begin());
  for (const CsvRow& row : table.rows_) {
    if (row.fields.size() != table.header_.size()) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}:{}: {} fields under a header of {}", source, row.line,
                              row.fields.size(), table.header_.size()));
    }
  }
  return table;
}

Result<std::size_t> CsvTable::Column(std::string_view name) const {
  const auto found = std::ranges::find(header_, name);
  if (found == header_.end()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: no column \"{}\"; it has {}", source_,
                                                     name, fmt::join(header_, ", ")));
  }
  return static_cast<std::size_t>(found - header_.begin());
}

std::vector<std::string> Words(const std::string& field) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < field.size();) {
    const std::size_t end = std::min(field.find(' ', begin), field.size());
    if (end > begin) words.push_back(field.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

}  // namespace couplingd
