#include "cli/table.h"

#include <algorithm>
#include <numeric>

#include "cli/cells.h"
#include "cli/screen_text.h"

namespace couplingd {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;  // of a flexible column
constexpr std::size_t kNoteIndent = 4;

std::string Padded(const std::string& text, std::size_t width, bool right) {
  const std::size_t used = DisplayWidth(text);
  const std::string blanks(width > used ? width - used : 0, ' ');
  return right ? blanks + text : text + blanks;
}

// Takes the excess from the widest flexible column until the table fits or nothing can give.
void Fit(std::vector<std::size_t>& widths, const std::vector<Column>& columns, std::size_t width) {
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  };
  while (total() > width) {
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (columns[i].flexible && widths[i] > kNarrowest &&
          (widest == widths.size() || widths[i] > widths[widest])) {
        widest = i;
      }
    }
    if (widest == widths.size()) return;
    --widths[widest];
  }
}

std::string Line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
                 const std::vector<Column>& columns) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i) line.append(kGap, ' ');
    line += Padded(Shorten(cells[i], widths[i]), widths[i], columns[i].right_aligned);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

TableLayout WithoutAbsentColumns(const JsonValue& rows, TableLayout layout) {
  std::erase_if(layout.columns, [&](const Column& column) {
    return column.optional && std::ranges::all_of(rows.GetArray(), [&](const JsonValue& row) {
             return column.cell(row) == kAbsent;
           });
  });
  return layout;
}

std::string CsvField(const JsonValue* value) {
  if (!value) return "";
  const std::string text = value->IsString()
                               ? std::string(value->GetString(), value->GetStringLength())
                               : JsonWriter().Value(*value).Text();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

std::string RenderTable(const JsonValue& rows, const TableLayout& whole, std::size_t width) {
  const TableLayout layout = WithoutAbsentColumns(rows, whole);
  std::vector<std::string> header;
  std::vector<std::size_t> widths;
  for (const Column& column : layout.columns) {
    header.push_back(column.header);
    widths.push_back(DisplayWidth(column.header));
  }
  std::vector<std::vector<std::string>> lines;
  for (const JsonValue& row : rows.GetArray()) {
    std::vector<std::string>& cells = lines.emplace_back();
    for (std::size_t i = 0; i < layout.columns.size(); ++i) {
      cells.push_back(Printable(layout.columns[i].cell(row)));
      widths[i] = std::max(widths[i], DisplayWidth(cells.back()));
    }
  }
  Fit(widths, layout.columns, width);
  std::string text = Line(header, widths, layout.columns);
  for (rapidjson::SizeType i = 0; i < rows.Size(); ++i) {
    text += Line(lines[i], widths, layout.columns);
    const std::string note = layout.note ? Printable(layout.note(rows[i]), true) : "";
    for (const std::string& part : Wrap(note, std::max<std::size_t>(width, 40) - kNoteIndent)) {
      text += std::string(kNoteIndent, ' ') + part + "\n";
    }
  }
  return text;
}

std::string RenderCsv(const JsonValue& rows, const std::vector<std::string_view>& keys) {
  std::string text;
  for (std::size_t i = 0; i < keys.size(); ++i) text += (i ? "," : "") + std::string(keys[i]);
  text += "\r\n";
  for (const JsonValue& row : rows.GetArray()) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      text += (i ? "," : "") + CsvField(FindMember(row, keys[i]));
    }
    text += "\r\n";
  }
  return text;
}

std::string RenderJsonRows(const JsonValue& rows) {
  if (rows.Empty()) return "[]\n";
  std::string text = "[";
  for (rapidjson::SizeType i = 0; i < rows.Size(); ++i) {
    text += (i ? ",\n " : "") + JsonWriter().Value(rows[i]).Text();
  }
  return text + "]\n";
}

}  // namespace couplingd
