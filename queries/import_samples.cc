#include "queries/import_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/files.h"
#include "base/hash.h"
#include "history/score_file.h"
#include "probes/benchmark/requests.h"
#include "probes/benchmark/samples.h"

namespace couplingd {
namespace {

constexpr double kTolerance = 1e-6;

// "results_2025-03-01T10-00-00.123456.json" → "2025-03-01T10-00-00.123456"; empty for other names.
std::string DateOf(const std::string& results_path) {
  std::string name = BaseName(results_path);
  if (!name.starts_with("results_") || !name.ends_with(".json")) return "";
  return name.substr(8, name.size() - 13);
}

bool HasDate(const std::string& samples_path, const std::string& date) {
  return !date.empty() && BaseName(samples_path).ends_with("_" + date + ".jsonl");
}

Result<std::string> ResultsOf(const std::string& samples_path, const ImportBatch& batch) {
  std::string beside;
  bool several = false;
  for (const ImportedResult& result : batch.results) {
    if (HasDate(samples_path, DateOf(result.source))) return result.source;
    if (DirectoryName(result.source) != DirectoryName(samples_path)) continue;
    several |= !beside.empty() && beside != result.source;
    beside = result.source;
  }
  if (!beside.empty() && !several) return beside;
  return Fail(
      ErrorKind::kInvalidData,
      fmt::format("{}: it belongs to none of the results files that were given", samples_path),
      "name the results_*.json of the same date too");
}

bool IsOfTask(const Score& score, const std::string& task) { return score.task == task; }

// The evaluation of that file in which the task was scored.
ImportedResult* FindResult(ImportBatch& batch, const std::string& source, const std::string& task) {
  const auto found = std::ranges::find_if(batch.results, [&](const ImportedResult& result) {
    return result.source == source &&
           std::ranges::any_of(result.evaluation.scores,
                               [&](const Score& score) { return IsOfTask(score, task); });
  });
  return found == batch.results.end() ? nullptr : &*found;
}

// The task's scores, completed by the metrics that the items give and the results lack.
Result<std::vector<Score>> Agree(const std::string& path, const std::vector<Score>& stated,
                                 const std::vector<MetricResult>& computed) {
  std::vector<Score> scores = stated;
  int compared = 0;
  for (const MetricResult& metric : computed) {
    const auto found = std::ranges::find(scores, metric.score.metric, &Score::metric);
    if (found == scores.end()) {
      scores.push_back(metric.score);
      continue;
    }
    ++compared;
    if (std::abs(found->value - metric.score.value) <= kTolerance) continue;
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: its items give {}.{} = {:.6f}, the results file says {:.6f}", path,
                            found->task, found->metric, metric.score.value, found->value),
                "the samples are of another evaluation, or of a metric that is computed otherwise");
  }
  if (compared > 0) return scores;
  return Fail(ErrorKind::kUnsupported,
              fmt::format("{}: none of its metrics can be computed from log-likelihoods", path));
}

Status Attach(ImportBatch& batch, const std::string& path, const std::string& scores_directory) {
  const std::string source = TRY(ResultsOf(path, batch));
  const SampledTask samples = TRY(ReadSampleScores(path));
  const std::string& task = samples.pack.name;
  ImportedResult* result = FindResult(batch, source, task);
  if (!result) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: {} has no scores of task {}", path, source, task));
  }
  const TaskPlan plan = MakePlan(samples.pack, {});
  ImportedResult own = *result;
  Evaluation& evaluation = own.evaluation;
  std::erase_if(evaluation.scores, [&](const Score& score) { return !IsOfTask(score, task); });
  evaluation.scores =
      TRY(Agree(path, evaluation.scores, TRY(ComputeMetrics(plan, samples.scores))));
  evaluation.key = evaluation.series_key + "|" + HashHex(task);
  evaluation.pack_hash = PackHash(samples.pack);
  evaluation.plan_hash = TRY(WritePlanFile(scores_directory, plan));
  evaluation.scores_hash =
      TRY(WriteScoreFile(scores_directory, samples.scores, evaluation.plan_hash));
  std::erase_if(result->evaluation.scores,
                [&](const Score& score) { return IsOfTask(score, task); });
  batch.results.push_back(std::move(own));
  return {};
}

}  // namespace

bool IsSamplesName(std::string_view name) {
  return name.starts_with("samples_") && name.ends_with(".jsonl");
}

std::vector<SamplesFile> SamplesBeside(const std::string& results_path) {
  std::vector<SamplesFile> files;
  const std::string date = DateOf(results_path), folder = DirectoryName(results_path);
  const auto names = ListDirectory(folder);
  if (date.empty() || !names) return files;
  for (const std::string& name : *names) {
    if (IsSamplesName(name) && HasDate(name, date)) files.push_back({JoinPath(folder, name)});
  }
  return files;
}

Status AttachSamples(ImportBatch& batch, const std::string& scores_directory) {
  std::map<std::string, bool> files;  // named or found, by path: each is read once
  for (const SamplesFile& file : batch.samples) files[file.path] |= file.is_named;
  for (const auto& [path, is_named] : files) {
    const Status attached = Attach(batch, path, scores_directory);
    if (attached) continue;
    if (is_named) return attached;
    batch.notes.push_back(fmt::format("samples left out: {}", attached.error().Text()));
  }
  std::erase_if(batch.results,
                [](const ImportedResult& result) { return result.evaluation.scores.empty(); });
  return {};
}

}  // namespace couplingd
