// What is asked of couplingd-probe and what it answers, for the daemon and for `couplingctl
// evaluate` alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "config/config.h"
#include "queries/evaluation_pace.h"
#include "records/score.h"

namespace couplingd {

// The request of one evaluation, as couplingd-probe reads it on stdin.
struct WorkerRequest {
  std::string task;      // empty: evaluate on the packs; or internals, steer
  std::string steering;  // of the task steer: what is asked, a JSON object
  std::string checkpoint;
  std::string model_config;  // empty: the checkpoint's own
  std::string tokenizer;     // empty: the checkpoint's own
  std::vector<std::string> packs;
  EvaluationConfig evaluation;
  std::string scores_dir;  // plan and score files are written here
  std::string samples;     // empty, or a file for one row per item
  std::vector<std::string> read_roots;
};

std::string ToJson(const WorkerRequest& request);

// One pack's part of the "result" frame.
struct WorkerPackResult {
  std::string name;
  std::string hash;
  std::string plan_hash;
  std::string scores_hash;
  std::vector<Score> scores;
};

// The "result" frame.
struct WorkerResult {
  std::string weights_hash;
  std::string tokenizer_hash;
  std::string model_type;
  std::string device;
  std::string dtype;
  std::string bos;
  std::string scorer;
  std::optional<double> parameters;
  std::optional<int> d_model;
  std::optional<std::int64_t> items;  // that were asked of each pack; absent: all
  std::vector<WorkerPackResult> packs;
  std::string report;  // JSON object of what is known beside the scores; empty: nothing
};

struct WorkerExit {
  int code = 0;
  int signal = 0;
  std::string text;  // "exit code 1", "killed by SIGKILL"
};

// Collects the frames of one evaluation, line by line. Frames of a kind it does not know are passed
// over.
class WorkerFrames {
 public:
  // The clock outlives this.
  explicit WorkerFrames(const Clock& clock) : clock_(&clock) {}

  // A line that is no JSON object with a "frame" is remembered as the error.
  void Take(std::string_view line);

  double progress() const { return pace_.fraction(); }  // 0 to 1
  // Absent until something was forwarded.
  std::optional<std::chrono::milliseconds> Left() const { return pace_.Left(clock_->Steady()); }
  const std::string& task() const { return task_; }
  const std::vector<std::string>& notes() const { return notes_; }
  // After the last line: the result, or the error that the worker reported, or what its end says
  // about it.
  Result<WorkerResult> Finish() const;

 private:
  const Clock* clock_;
  EvaluationPace pace_;
  std::string task_;
  std::vector<std::string> notes_;
  std::optional<WorkerResult> result_;
  std::optional<Error> error_;
  std::optional<WorkerExit> exit_;
};

// The evaluations to store: one per pack, with their keys (design, point 2). Ids are left 0.
std::vector<Evaluation> ToEvaluations(const WorkerResult& result, const EvaluationConfig& config,
                                      UnixMillis started_at, UnixMillis finished_at);

}  // namespace couplingd
