// What the steps of the pipeline stand on: looking things up, waiting, and writing until it is
// written.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/files.h"
#include "base/json.h"
#include "daemon/pipeline.h"
#include "daemon/run_budget.h"
#include "daemon/schedule.h"
#include "history/score_file.h"

namespace couplingd {
namespace {

constexpr std::chrono::seconds kRetryWrite{5};

}  // namespace

void Pipeline::Stop() {
  stopping_ = true;
  for (const auto& [id, running] : evaluating_) parts_.executor.Cancel(id);
}

void Pipeline::Abandon() {
  Stop();
  for (auto& [id, running] : evaluating_) {
    Checkpoint checkpoint = running.checkpoint;
    checkpoint.state = CheckpointState::kQueued;
    checkpoint.reason = "its evaluation was interrupted";
    checkpoint.updated_at = parts_.clock.Now();
    --checkpoint.attempts;
    (void)parts_.history.SaveCheckpoint(checkpoint);  // on failure the next start does the same
  }
  evaluating_.clear();
}

void Pipeline::HandOver() {
  stopping_ = true;
  evaluating_.clear();
}

Status Pipeline::TakeOver(Checkpoint checkpoint) {
  const std::string run = TRY(RunName(checkpoint.run_id));
  const Watched* watched = FindWatched(run);
  Adoption adoption = Adoption::kUnknown;
  if (watched) {
    const Running running{checkpoint, run, checkpoint.updated_at};
    const std::string path = watched->config.preserve == couplingd::Preserve::kNone
                                 ? checkpoint.path
                                 : PreservedPath(checkpoint.id);
    adoption = parts_.executor.Adopt(
        checkpoint.id, TRY(RequestFor(watched->config, path)),
        [this, running](Result<WorkerResult> result) { Finish(running, std::move(result)); });
    if (adoption == Adoption::kTaken) {
      evaluating_[checkpoint.id] = running;
      return {};
    }
  } else {
    parts_.executor.Cancel(checkpoint.id);
  }
  const bool is_stopped = adoption == Adoption::kStopped;
  checkpoint.state = CheckpointState::kQueued;
  checkpoint.reason = is_stopped ? "the configuration changed during its evaluation"
                                 : "the daemon ended during its evaluation";
  checkpoint.attempts -= is_stopped ? 1 : 0;
  checkpoint.updated_at = parts_.clock.Now();
  TRY(parts_.history.SaveCheckpoint(checkpoint));
  return {};
}

// While a run's first evaluation decides what its budget means, the others of that run wait.
Result<bool> Pipeline::MustWaitForBudget(const Checkpoint& checkpoint) const {
  for (const auto& [id, running] : evaluating_) {
    if (running.checkpoint.run_id != checkpoint.run_id) continue;
    return TRY(BudgetOf(parts_.history.reader(), config_.evaluation, running.run)).is_open;
  }
  return false;
}

void Pipeline::NoteSlowness(const std::string& run, std::chrono::milliseconds took) {
  constexpr double kTolerance = 1.1;
  const std::optional<ItemBudget>& budget = config_.evaluation.budget;
  if (!budget || !budget->time || took <= *budget->time * kTolerance) return;
  if (!slow_.insert(run).second) return;
  Report(
      "warning", run,
      fmt::format("an evaluation took {:.1f} s, longer than evaluation.budget ({}): the items of "
                  "a run are fixed so that its checkpoints can be compared{}",
                  static_cast<double>(took.count()) / 1000, FormatItemBudget(*budget),
                  config_.evaluation.internals ? "; looking inside the model comes on top" : ""));
}

std::string Pipeline::PreservedPath(std::int64_t checkpoint) const {
  return JoinPath(config_.store.path, fmt::format("preserved/{}", checkpoint));
}

void Pipeline::RemoveUnfinished() {
  const UnixMillis oldest = parts_.clock.Now() - config_.store.keep_unfinished.count();
  const std::size_t removed =
      RemoveUnfinishedLogs(parts_.history.reader().ScoresDirectory(), oldest,
                           [this](const std::string& checkpoint) { return IsGone(checkpoint); });
  if (removed > 0) spdlog::info("{} unfinished evaluations are forgotten", removed);
}

// Of a preserved copy, which is made anew for every attempt, what it is a copy of counts.
bool Pipeline::IsGone(const std::string& checkpoint) const {
  std::string path = checkpoint;
  for (const Checkpoint& queued : parts_.history.reader()
                                      .CheckpointsInState(CheckpointState::kQueued)
                                      .value_or(std::vector<Checkpoint>())) {
    if (PreservedPath(queued.id) == checkpoint) path = queued.path;
  }
  for (const auto& [id, running] : evaluating_) {
    if (PreservedPath(id) == checkpoint) path = running.checkpoint.path;
  }
  const Result<Candidate> found = LookAt(path);
  return !found && found.error().kind == ErrorKind::kNotFound;
}

bool Pipeline::idle() const {
  if (!evaluating_.empty() || unpersisted_ > 0 || parts_.analyst.busy()) return false;
  for (const auto& [name, watched] : watched_) {
    if (!watched.seen_all || watched.inspections > 0 || !watched.readiness.AllAsked()) return false;
  }
  const auto queue = parts_.history.reader().CheckpointsInState(CheckpointState::kQueued);
  return queue && queue->empty();
}

bool Pipeline::FinishRuns() {
  bool any = false;
  for (const auto& [name, watched] : watched_) {
    const Result<bool> queued = QueueFinal(watched);
    if (!queued) Report("error", name, queued.error().Text());
    any |= queued.value_or(false);
  }
  return any;
}

// The last checkpoint of a run with `schedule: final` leaves the skipped ones.
Result<bool> Pipeline::QueueFinal(const Watched& watched) {
  if (watched.config.schedule.kind != ScheduleKind::kFinal) return false;
  HistoryFilter live;
  live.run = watched.config.name;
  std::vector<Checkpoint> known = TRY(parts_.history.reader().Checkpoints(live));
  if (known.empty() || known.back().state != CheckpointState::kSkipped) return false;
  Checkpoint& last = known.back();
  last.state = CheckpointState::kQueued;
  last.reason.clear();
  last.updated_at = parts_.clock.Now();
  TRY(parts_.history.SaveCheckpoint(last));
  Dispatch();
  return true;
}

std::string Pipeline::EvaluatingJson() const {
  JsonWriter json;
  json.BeginArray();
  for (const auto& [id, running] : evaluating_) {
    json.BeginObject().Field("run", running.run).Field("step", running.checkpoint.step);
    const EvaluationProgress progress = parts_.executor.Progress(id);
    json.Field("path", running.checkpoint.path).Field("progress", progress.fraction);
    json.Field("seconds_left",
               progress.left ? std::optional(static_cast<double>(progress.left->count()) / 1000)
                             : std::nullopt);
    json.Field("started_at", FormatTime(running.started_at)).EndObject();
  }
  return json.EndArray().Text();
}

Status Pipeline::Retry(std::int64_t id) {
  std::optional<Checkpoint> checkpoint = TRY(parts_.history.reader().FindCheckpoint(id));
  if (!checkpoint) {
    return Fail(ErrorKind::kNotFound, fmt::format("there is no checkpoint {}", id),
                "see couplingctl checkpoints");
  }
  if (evaluating_.contains(id)) {
    return Fail(ErrorKind::kConflict, fmt::format("checkpoint {} is being evaluated", id));
  }
  checkpoint->state = CheckpointState::kQueued;
  checkpoint->reason = "asked for by hand";
  checkpoint->attempts = 0;
  not_before_.erase(id);
  checkpoint->updated_at = parts_.clock.Now();
  TRY(parts_.history.SaveCheckpoint(*checkpoint));
  Dispatch();
  return {};
}

// A candidate that is not ready yet is on record with the reason, once.
Status Pipeline::Wait(Watched& watched, const Candidate& candidate, const std::string& reason) {
  Run run = TRY(RunOf(watched.config));
  HistoryFilter live;
  live.run = run.name;
  Checkpoint waiting;
  for (const Checkpoint& checkpoint : TRY(parts_.history.reader().Checkpoints(live))) {
    const bool same = checkpoint.path == candidate.path;
    if (same && checkpoint.state == CheckpointState::kWaiting) waiting = checkpoint;
  }
  if (waiting.id != 0 && waiting.reason == reason) return {};
  waiting.run_id = run.id;
  waiting.generation = run.generation;
  waiting.step = candidate.step;
  waiting.path = candidate.path;
  waiting.state = CheckpointState::kWaiting;
  waiting.reason = reason;
  waiting.written_at = candidate.written_at;
  waiting.updated_at = parts_.clock.Now();
  if (waiting.discovered_at == 0) waiting.discovered_at = waiting.updated_at;
  TRY(parts_.history.SaveCheckpoint(waiting));
  return {};
}

void Pipeline::Persist(std::string what, std::function<Status()> write) {
  const Status written = write();
  if (written) return;
  Report("error", what, written.error().Text());
  if (!written.error().retryable) return;
  ++unpersisted_;
  auto timer = std::make_shared<boost::asio::steady_timer>(parts_.io, kRetryWrite);
  timer->async_wait([this, timer, what = std::move(what),
                     write = std::move(write)](boost::system::error_code error) {
    --unpersisted_;
    if (!error) Persist(what, write);
  });
}

void Pipeline::Report(const std::string& level, const std::string& subject,
                      const std::string& text) {
  if (level == "error") {
    spdlog::error("{}: {}", subject, text);
  } else {
    spdlog::warn("{}: {}", subject, text);
  }
  (void)parts_.history.SaveEvent(level, subject, text);  // where this fails too, the log has it
}

Status Pipeline::ForgetGone(const Watched& watched, const std::vector<std::string>& gone) {
  HistoryFilter filter;
  filter.run = watched.config.name;
  for (Checkpoint& checkpoint : TRY(parts_.history.reader().Checkpoints(filter))) {
    const bool is_open = checkpoint.state == CheckpointState::kWaiting ||
                         checkpoint.state == CheckpointState::kQueued;
    if (!is_open || std::find(gone.begin(), gone.end(), checkpoint.path) == gone.end()) continue;
    checkpoint.state = CheckpointState::kVanished;
    checkpoint.reason = "it was deleted before its evaluation";
    checkpoint.updated_at = parts_.clock.Now();
    TRY(parts_.history.SaveCheckpoint(checkpoint));
  }
  return {};
}

// The run as stored, made or brought up to date with the configuration.
Result<Run> Pipeline::RunOf(const RunConfig& config) {
  std::optional<Run> stored = TRY(parts_.history.reader().FindRun(config.name));
  Run run = stored.value_or(Run{});
  const Run before = run;
  run.name = config.name;
  run.family = config.family.empty() ? config.name : config.family;
  run.path = config.path;
  if (config.parameters) run.parameters = config.parameters;
  if (config.d_model) run.d_model = config.d_model;
  if (config.tokens_per_step) run.tokens_per_step = config.tokens_per_step;
  const bool changed = !stored || run.family != before.family || run.path != before.path ||
                       run.parameters != before.parameters || run.d_model != before.d_model ||
                       run.tokens_per_step != before.tokens_per_step;
  if (changed) run.id = TRY(parts_.history.SaveRun(run));
  return run;
}

Result<std::string> Pipeline::RunName(std::int64_t id) const {
  for (Run& run : TRY(parts_.history.reader().Runs())) {
    if (run.id == id) return std::move(run.name);
  }
  return std::string();
}

Pipeline::Watched* Pipeline::FindWatched(const std::string& run) {
  const auto found = watched_.find(run);
  return found == watched_.end() ? nullptr : &found->second;
}

Result<std::optional<std::string>> Pipeline::ScheduleReason(const RunConfig& config, const Run& run,
                                                            std::int64_t step) {
  HistoryFilter live;
  live.run = run.name;
  std::vector<std::int64_t> known = {step}, evaluated;
  for (const Checkpoint& checkpoint : TRY(parts_.history.reader().Checkpoints(live))) {
    known.push_back(checkpoint.step);
    const CheckpointState state = checkpoint.state;
    if (state == CheckpointState::kEvaluated || state == CheckpointState::kEvaluating ||
        state == CheckpointState::kQueued) {
      evaluated.push_back(checkpoint.step);
    }
  }
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  const std::vector<CouplingEstimate> couplings = TRY(parts_.history.reader().Couplings(live));
  const bool dense = std::any_of(couplings.begin(), couplings.end(), [&](const auto& estimate) {
    return estimate.gamma && estimate.phase == Phase::kUndetermined;
  });
  return ReasonToSkip(config.schedule, step, known, evaluated, dense);
}

}  // namespace couplingd
