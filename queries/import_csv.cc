#include "queries/import_csv.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/csv.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/nearest.h"
#include "base/numbers.h"
#include "base/units.h"
#include "queries/model_names.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxProblems = 20;
constexpr std::string_view kHarness = "imported:csv";
const std::vector<std::string_view> kColumns = {
    "run",     "model", "task",   "metric",          "value",  "family", "parameters",
    "d_model", "step",  "tokens", "tokens_per_step", "stderr", "n"};

std::string Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

std::optional<double> Number(const std::string& text) {
  const auto value = ParseNumber<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

class TableReader {
 public:
  TableReader(const std::string& path, UnixMillis modified_at, const ImportOptions& options)
      : path_(path), modified_at_(modified_at), options_(options) {}

  Result<ImportBatch> Read(const std::vector<CsvRow>& rows) {
    if (rows.size() < 2)
      return Fail(ErrorKind::kInvalidData, path_ + ": no rows below a header line");
    TRY(ReadHeader(rows[0]));
    for (std::size_t i = 1; i < rows.size(); ++i) ReadRow(rows[i]);
    if (!problems_.empty()) return Problems();
    ImportBatch batch;
    for (auto& [place, result] : results_) {
      std::set<std::string> tasks;
      for (const Score& score : result.evaluation.scores) tasks.insert(score.task);
      result.evaluation.key =
          fmt::format("{}|{}", kHarness, HashHex(fmt::format("{}", fmt::join(tasks, "\n"))));
      batch.results.push_back(std::move(result));
    }
    return batch;
  }

 private:
  Status ReadHeader(const CsvRow& header) {
    for (std::size_t i = 0; i < header.fields.size(); ++i) {
      const std::string name = Trimmed(header.fields[i]);
      if (std::ranges::find(kColumns, name) == kColumns.end()) {
        const auto nearest = Nearest(name, kColumns);
        return Fail(ErrorKind::kInvalidData,
                    fmt::format("{}:{}: unknown column \"{}\"", path_, header.line, name),
                    nearest ? fmt::format("did you mean \"{}\"?", *nearest)
                            : fmt::format("columns are {}", fmt::join(kColumns, ", ")));
      }
      if (!columns_.emplace(name == "model" ? "run" : name, i).second) {
        return Fail(ErrorKind::kInvalidData,
                    fmt::format("{}:{}: column \"{}\" stands twice", path_, header.line, name));
      }
    }
    for (const char* name : {"run", "task", "metric", "value"}) {
      if (columns_.contains(name)) continue;
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}:{}: the column \"{}\" is missing", path_, header.line, name),
                  "the header needs run (or model), task, metric and value");
    }
    return {};
  }

  void ReadRow(const CsvRow& row) {
    line_ = row.line;
    if (row.fields.size() != columns_.size()) {
      return Problem(
          fmt::format("{} fields, the header has {}", row.fields.size(), columns_.size()));
    }
    const NamedModel named = RecogniseModel(Cell(row, "run"));
    Score score{.task = Cell(row, "task"), .metric = Cell(row, "metric")};
    if (named.run.empty() || score.task.empty() || score.metric.empty()) {
      return Problem("run, task and metric must not be empty");
    }
    const auto value = Number(Cell(row, "value"));
    if (!value) return Problem(fmt::format("value: \"{}\" is not a number", Cell(row, "value")));
    score.value = *value;
    score.stderr_value = Optional(row, "stderr", Number);
    if (const auto n = Optional(row, "n", Number)) score.n = static_cast<std::int64_t>(*n);
    if (!ToFraction(score)) return;
    const auto count = [](const std::string& text) -> std::optional<double> {
      const auto parsed = ParseCount(text);
      return parsed ? std::optional(*parsed) : std::nullopt;
    };
    const auto step = Optional(row, "step", count);
    if (step && (*step != std::floor(*step) || *step > 9e15))
      return Problem("step: not a whole number");
    ImportedResult& result =
        ResultOf(named.run, step ? static_cast<std::int64_t>(*step) : options_.step.value_or(1));
    Run& run = result.run;
    run.name = named.run;
    run.family = Cell(row, "family").empty() ? named.family : Cell(row, "family");
    if (!options_.family.empty()) run.family = options_.family;
    Keep(run.parameters, Optional(row, "parameters", count), named.parameters);
    Keep(run.tokens_per_step, Optional(row, "tokens_per_step", count),
         options_.tokens_per_step ? options_.tokens_per_step : named.tokens_per_step);
    if (const auto width = Optional(row, "d_model", Number)) run.d_model = static_cast<int>(*width);
    if (!run.d_model) run.d_model = named.d_model;
    Keep(result.tokens, Optional(row, "tokens", count),
         run.tokens_per_step && step ? std::optional(*run.tokens_per_step * *step) : std::nullopt);
    for (const Score& other : result.evaluation.scores) {
      if (other.task == score.task && other.metric == score.metric) {
        return Problem(fmt::format("{}.{} of {} at step {} stands twice", score.task, score.metric,
                                   run.name, result.step));
      }
    }
    result.evaluation.scores.push_back(std::move(score));
  }

  // Shares in percent become fractions; false where the value cannot be a share.
  bool ToFraction(Score& score) {
    if (!IsFractionMetric(score.metric)) return true;
    if (options_.percent) {
      score.value /= 100;
      if (score.stderr_value) *score.stderr_value /= 100;
    }
    if (score.value >= 0 && score.value <= 1) return true;
    Problem(fmt::format("value {} of {} is outside 0 to {}",
                        options_.percent ? score.value * 100 : score.value, score.metric,
                        options_.percent ? 100 : 1),
            options_.percent ? "" : "values are fractions; --percent reads percent");
    return false;
  }

  ImportedResult& ResultOf(const std::string& run, std::int64_t step) {
    auto [entry, is_new] = results_.try_emplace({run, step});
    ImportedResult& result = entry->second;
    if (is_new) {
      result.source = path_;
      result.step = step;
      result.checkpoint = fmt::format("csv:{}@step{}", run, step);
      result.evaluation.harness = result.evaluation.series_key = kHarness;
      result.evaluation.pack = "csv";
      result.evaluation.started_at = result.evaluation.finished_at = modified_at_;
    }
    return result;
  }

  std::string Cell(const CsvRow& row, const std::string& column) const {
    const auto found = columns_.find(column);
    return found == columns_.end() ? "" : Trimmed(row.fields[found->second]);
  }

  template <typename Parse>
  std::optional<double> Optional(const CsvRow& row, const std::string& column, Parse parse) {
    const std::string text = Cell(row, column);
    if (text.empty()) return std::nullopt;
    const std::optional<double> value = parse(text);
    if (!value || *value < 0) {
      Problem(fmt::format("{}: \"{}\" is not a number from 0", column, text));
      return std::nullopt;
    }
    return value;
  }

  static void Keep(std::optional<double>& into, std::optional<double> given,
                   std::optional<double> otherwise) {
    if (given) into = given;
    if (!into) into = otherwise;
  }

  void Problem(std::string_view cause, std::string_view hint = "") {
    problems_.push_back(hint.empty() ? fmt::format("{}:{}: {}", path_, line_, cause)
                                     : fmt::format("{}:{}: {} ({})", path_, line_, cause, hint));
  }

  std::unexpected<Error> Problems() const {
    std::string text;
    for (std::size_t i = 0; i < problems_.size() && i < kMaxProblems; ++i) {
      text += (i ? "\n" : "") + problems_[i];
    }
    if (problems_.size() > kMaxProblems) {
      text += fmt::format("\n{}: {} more", path_, problems_.size() - kMaxProblems);
    }
    return Fail(ErrorKind::kInvalidData, text);
  }

  const std::string path_;
  const UnixMillis modified_at_;
  const ImportOptions& options_;
  std::map<std::string, std::size_t> columns_;
  std::map<std::pair<std::string, std::int64_t>, ImportedResult> results_;
  std::vector<std::string> problems_;
  std::size_t line_ = 0;
};

}  // namespace

Result<ImportBatch> ParseScoresCsv(const std::string& text, const std::string& path,
                                   UnixMillis modified_at, const ImportOptions& options) {
  const std::vector<CsvRow> rows = TRY(ParseCsv(text, path));
  return TableReader(path, modified_at, options).Read(rows);
}

Result<ImportBatch> ReadCsv(const std::string& path, const ImportOptions& options) {
  const std::string text = TRY(ReadFile(path));
  struct stat info;
  const UnixMillis modified_at =
      ::stat(path.c_str(), &info) == 0 ? static_cast<UnixMillis>(info.st_mtim.tv_sec) * 1000 : 0;
  return ParseScoresCsv(text, path, modified_at, options);
}

}  // namespace couplingd
