#include "bench/forecast_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <sstream>

#include "base/files.h"
#include "base/json.h"
#include "coupling/reference_panel.h"

namespace couplingd {
namespace {

using Eigen::Index;

struct Row {
  double position;
  std::vector<double> scores;
};

ScoreTrajectory MakeTrajectory(const std::string& name, std::vector<Row> rows) {
  std::ranges::stable_sort(rows, {}, &Row::position);
  const auto places = static_cast<Index>(rows.size());
  const auto columns = static_cast<Index>(rows[0].scores.size());
  ScoreTrajectory made{name, Eigen::VectorXd(places), Eigen::MatrixXd(places, columns)};
  for (Index k = 0; k < places; ++k) {
    made.positions[k] = rows[k].position;
    made.scores.row(k) = Eigen::Map<const Eigen::RowVectorXd>(rows[k].scores.data(), columns);
  }
  return made;
}

constexpr double kPythiaTokensPerStep = 2097152;
// A task, its metric, and the step before which every size is at chance everywhere.
constexpr std::pair<const char*, const char*> kTasks[] = {
    {"lambada_openai", "acc"}, {"arc_easy", "acc"},   {"arc_challenge", "acc_norm"},
    {"piqa", "acc"},           {"winogrande", "acc"}, {"sciq", "acc"},
    {"logiqa", "acc_norm"},    {"wsc", "acc"},        {"crows_pairs_english", "pct_stereotype"}};
constexpr double kFirstStep = 256;

// The listed baselines were made from the consolidated table without the two models that it files
// under Pythia; each is a recipe of one size.
Result<std::vector<PanelModel>> Consolidated() {
  std::vector<PanelModel> models = CleanedPanel(TRY(ShippedBasePanel()));
  std::erase_if(models, [](const PanelModel& model) {
    return !model.StandsIn("consolidated") || model.Has("wrong-family");
  });
  return models;
}

}  // namespace

Result<std::vector<ScoreTrajectory>> PanelFamilies(const std::vector<PanelScore>& columns) {
  const std::vector<PanelModel> models = WithAll(TRY(Consolidated()), columns);
  std::vector<ScoreTrajectory> families;
  for (const std::string& family : FamiliesOf(models)) {
    const std::vector<PanelModel> sizes = FamilyOf(models, family);
    families.push_back({family, LogSizesOf(sizes), ScoreMatrix(sizes, columns)});
  }
  return families;
}

Result<BenchRuns> ReadRuns(const std::string& folder) {
  BenchRuns made;
  for (const auto& [task, metric] : kTasks)
    made.tasks.push_back(fmt::format("{}.{}", task, metric));
  std::map<std::string, std::vector<Row>> rows;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().string();
    const std::size_t mark = path.rfind("step");
    if (mark == std::string::npos || entry.path().extension() != ".json") continue;
    const double step = std::stod(path.substr(mark + 4));
    if (step < kFirstStep) continue;
    const JsonDocument document = TRY(ParseJsonFile(path));
    Row row{std::log10(step * kPythiaTokensPerStep), {}};
    for (const auto& [task, metric] : kTasks) {
      row.scores.push_back(TRY(GetDouble(document["results"][task], metric, path)));
    }
    rows[entry.path().parent_path().filename().string()].push_back(std::move(row));
  }
  if (rows.empty()) return Fail(ErrorKind::kNotFound, fmt::format("no results in {}", folder));
  for (auto& [name, of] : rows) made.runs.push_back(MakeTrajectory(name, std::move(of)));
  return made;
}

std::vector<ScoreTrajectory> BenchRuns::OfTask(std::size_t task) const {
  std::vector<ScoreTrajectory> chosen;
  for (const ScoreTrajectory& run : runs) {
    ScoreTrajectory of{run.name, run.positions,
                       Eigen::MatrixXd(run.positions.size(), task == 0 ? 1 : 2)};
    of.scores.col(0) = run.scores.col(0);
    if (task != 0) of.scores.col(1) = run.scores.col(static_cast<Index>(task));
    chosen.push_back(std::move(of));
  }
  return chosen;
}

Result<std::vector<std::string>> ReadLines(const std::string& path) {
  std::istringstream text(TRY(ReadFile(path)));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    if (!line.empty() && line[0] != '#') lines.push_back(line);
  }
  std::ranges::sort(lines);
  return lines;
}

Result<std::vector<AxisSeries>> PanelSeries() { return FamilySeriesOf(TRY(Consolidated())); }

}  // namespace couplingd
