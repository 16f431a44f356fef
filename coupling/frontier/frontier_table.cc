#include "coupling/frontier/frontier_table.h"

#include <fmt/format.h>

#include <set>

#include "base/csv.h"
#include "base/numbers.h"
#include "coupling/frontier/frontier_text.h"

namespace couplingd {
namespace {

std::optional<int> Digits(std::string_view text, std::size_t length) {
  if (text.size() != length) return std::nullopt;
  int value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = 10 * value + (digit - '0');
  }
  return value;
}

class FrontierReader {
 public:
  FrontierReader(const CsvTable& table, const FrontierColumns& columns)
      : table_(table), columns_(columns) {}

  Result<FrontierModel> Read(const CsvRow& row) const {
    FrontierModel model;
    model.name = TRY(Name(row, "name"));
    model.lab = TRY(Name(row, "lab"));
    model.date = Optional(row, "date");
    auto year = ParseReleaseDate(model.date);
    if (!year) return Problem(row, "date", year.error().message);
    model.year = *year;
    model.x = TRY(Score(row, columns_.x));
    model.y = TRY(Score(row, columns_.y));
    model.subset = Optional(row, "subset");
    const std::string published = Optional(row, "h_published");
    if (!published.empty()) {
      const auto h = ParseNumber<double>(published);
      if (!h) return Problem(row, "h_published", fmt::format("\"{}\" is no number", published));
      model.h_published = *h / Whole();
    }
    model.flaws = Words(Optional(row, "flaws"));
    model.source = Optional(row, "source");
    return model;
  }

  std::unexpected<Error> Problem(const CsvRow& row, std::string_view column, std::string_view cause,
                                 std::string hint = "") const {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}:{}: field \"{}\": {}", table_.source(), row.line, column, cause),
                std::move(hint));
  }

 private:
  double Whole() const { return columns_.percent ? 100 : 1; }

  std::string Optional(const CsvRow& row, std::string_view column) const {
    const auto place = table_.Column(column);
    return place ? row.fields[*place] : "";
  }
  Result<std::string> Name(const CsvRow& row, std::string_view column) const {
    std::string name = row.fields[TRY(table_.Column(column))];
    if (name.empty()) return Problem(row, column, "is empty");
    return name;
  }
  Result<double> Score(const CsvRow& row, std::string_view column) const {
    const std::string text = row.fields[TRY(table_.Column(column))];
    const auto score = ParseNumber<double>(text);
    if (!score) return Problem(row, column, fmt::format("\"{}\" is no number", text));
    if (!(*score >= 0 && *score <= Whole())) {
      return Problem(row, column, fmt::format("{} is outside 0 to {}", text, Whole()),
                     columns_.percent ? "" : "scores are fractions; --percent reads percent");
    }
    return *score / Whole();
  }

  const CsvTable& table_;
  const FrontierColumns& columns_;
};

// The rows of a shipped table, each read by `read` from its fields by column.
template <typename T, typename Read>
Result<std::vector<T>> ReadAll(std::string_view file, const Read& read) {
  const CsvTable table = TRY(CsvTable::Parse(FrontierText(file), file));
  std::vector<T> all;
  for (const CsvRow& row : table.rows()) {
    const auto text = [&](std::string_view column) -> Result<std::string> {
      return row.fields[TRY(table.Column(column))];
    };
    const auto number = [&](std::string_view column) -> Result<double> {
      const auto value = ParseNumber<double>(TRY(text(column)));
      if (value) return *value;
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}:{}: field \"{}\" is no number", file, row.line, column));
    };
    all.push_back(TRY(read(text, number)));
  }
  return all;
}

Result<std::vector<FrontierPrediction>> ReadPredictions() {
  return ReadAll<FrontierPrediction>(
      "frontier_predictions.csv",
      [](const auto& text, const auto& number) -> Result<FrontierPrediction> {
        FrontierPrediction found;
        found.id = static_cast<int>(TRY(number("id")));
        found.name = TRY(text("name"));
        found.deadline = TRY(text("deadline"));
        found.pass = TRY(text("pass"));
        found.fail = TRY(text("fail"));
        found.source = TRY(text("source"));
        return found;
      });
}

Result<std::vector<FrontierFlaw>> ReadFlaws() {
  return ReadAll<FrontierFlaw>("frontier_flaws.csv",
                               [](const auto& text, const auto&) -> Result<FrontierFlaw> {
                                 FrontierFlaw found;
                                 found.name = TRY(text("flaw"));
                                 found.explanation = TRY(text("explanation"));
                                 return found;
                               });
}

Result<std::vector<IfevalModel>> ReadIfeval() {
  return ReadAll<IfevalModel>("frontier_ifeval.csv",
                              [](const auto& text, const auto& number) -> Result<IfevalModel> {
                                IfevalModel found;
                                found.name = TRY(text("name"));
                                found.x = TRY(number("swe_bench_verified")) / 100;
                                found.y = TRY(number("gpqa_diamond")) / 100;
                                found.ifeval = TRY(number("ifeval")) / 100;
                                found.source = TRY(text("source"));
                                return found;
                              });
}

Result<std::vector<PrintedPair>> ReadPairs() {
  return ReadAll<PrintedPair>("frontier_pairs.csv",
                              [](const auto& text, const auto& number) -> Result<PrintedPair> {
                                PrintedPair found;
                                found.first = TRY(text("first"));
                                found.second = TRY(text("second"));
                                found.r = TRY(number("r"));
                                found.n = static_cast<int>(TRY(number("n")));
                                found.source = TRY(text("source"));
                                return found;
                              });
}

}  // namespace

Result<std::optional<double>> ParseReleaseDate(std::string_view date) {
  if (date.empty()) return std::nullopt;
  const auto year = Digits(date.substr(0, 4), 4);
  const auto month = date.size() > 4 ? Digits(date.substr(5, 2), 2) : std::optional(1);
  const auto day = date.size() > 7 ? Digits(date.substr(8), 2) : std::optional(1);
  const bool separated = date.size() == 4 || (date.size() >= 7 && date[4] == '-' &&
                                              (date.size() == 7 || date[7] == '-'));
  if (!year || !month || !day || !separated || *month < 1 || *month > 12 || *day < 1 || *day > 31) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("\"{}\" is none of 2025, 2025-04 and 2025-04-16", date));
  }
  if (date.size() == 4) return std::nullopt;
  const double within = date.size() > 7 ? (*day - 0.5) / 31 : 0.5;
  return *year + (*month - 1 + within) / 12;
}

Result<FrontierTable> ReadFrontierTable(std::string_view csv, std::string_view source,
                                        const FrontierColumns& columns) {
  const CsvTable rows = TRY(CsvTable::Parse(csv, source));
  const FrontierReader reader(rows, columns);
  FrontierTable table{
      .source = std::string(source), .x_name = columns.x, .y_name = columns.y, .models = {}};
  std::set<std::string> names;
  for (const CsvRow& row : rows.rows()) {
    table.models.push_back(TRY(reader.Read(row)));
    if (!names.insert(table.models.back().name).second) {
      return reader.Problem(row, "name",
                            fmt::format("\"{}\" stands twice", table.models.back().name));
    }
  }
  return table;
}

Result<FrontierData> ShippedFrontier() {
  FrontierData data;
  data.table =
      TRY(ReadFrontierTable(FrontierText("frontier_models.csv"), "frontier_models.csv",
                            {.x = "swe_bench_verified", .y = "gpqa_diamond", .percent = true}));
  data.table.source = "couplingd";
  data.table.x_name = "SWE-bench Verified";
  data.table.y_name = "GPQA Diamond";
  data.ifeval = TRY(ReadIfeval());
  data.pairs = TRY(ReadPairs());
  data.predictions = TRY(ReadPredictions());
  data.flaws = TRY(ReadFlaws());
  return data;
}

}  // namespace couplingd
