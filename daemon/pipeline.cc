#include "daemon/pipeline.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/files.h"
#include "base/json.h"
#include "daemon/alerting.h"
#include "daemon/identity.h"
#include "daemon/preserve.h"
#include "daemon/run_budget.h"
#include "daemon/schedule.h"
#include "queries/analysis.h"

namespace couplingd {
namespace {

constexpr std::chrono::seconds kRecheckIncomplete{5};

// 10 s after the first failed attempt, then a minute, then six: what was busy or full may be free
// again.
std::chrono::milliseconds RestAfter(int attempts) {
  std::chrono::milliseconds rest = std::chrono::seconds{10};
  for (int attempt = 1; attempt < std::min(attempts, 3); ++attempt) rest *= 6;
  return rest;
}

}  // namespace

Pipeline::Pipeline(const Config& config, Parts parts) : config_(config), parts_(std::move(parts)) {
  for (const RunConfig& run : config.runs) {
    const auto quiet =
        IsNetworkFileSystem(run.path) ? config.watch.quiet_network : config.watch.quiet_local;
    watched_.emplace(run.name, Watched{run, ReadinessTracker(quiet), false, 0, {}, ""});
  }
}

Status Pipeline::Start() {
  std::set<std::string> families;
  TRY(parts_.history.Transaction([&]() -> Status {
    for (const auto& [name, watched] : watched_) families.insert(TRY(RunOf(watched.config)).family);
    for (Checkpoint& checkpoint :
         TRY(parts_.history.reader().CheckpointsInState(CheckpointState::kEvaluating))) {
      TRY(TakeOver(std::move(checkpoint)));
    }
    return {};
  }));
  for (const std::string& family : families) Couple(family);
  RemoveUnfinished();
  Dispatch();
  return {};
}

// 1. A directory was looked at. Every candidate that has become quiet is inspected.
std::set<std::string> Pipeline::Look(const std::string& run, const Result<ScanResult>& scan,
                                     bool full) {
  Watched* watched = FindWatched(run);
  if (!watched || stopping_) return {};
  if (!scan) {
    if (watched->last_scan_error != scan.error().Text()) Report("error", run, scan.error().Text());
    watched->last_scan_error = scan.error().Text();
    watched->seen_all |= full;
    return watched->readiness.Unsettled();
  }
  watched->last_scan_error.clear();
  const std::vector<std::string> gone = watched->readiness.Retain(scan->present);
  if (!gone.empty()) {
    Persist("vanished checkpoints", [this, watched, gone] { return ForgetGone(*watched, gone); });
  }
  for (const Candidate& candidate : scan->candidates) {
    if (watched->readiness.Observe(candidate, parts_.clock.Now())) Inspect(*watched, candidate);
  }
  watched->seen_all |= full;
  return watched->readiness.Unsettled();
}

Status Pipeline::Take(const Notice& notice) {
  Watched* watched = FindWatched(notice.run);
  if (!watched) {
    return Fail(ErrorKind::kNotFound, fmt::format("no run is called \"{}\"", notice.run),
                "see couplingctl runs");
  }
  if (notice.ended) {
    TRY(parts_.history.SetValue("ended:" + notice.run, FormatTime(parts_.clock.Now())));
    TRY(QueueFinal(*watched));
    Tick();
    return {};
  }
  Candidate candidate = TRY(LookAt(notice.path));
  const std::string root = TRY(RealPath(watched->config.path));
  if (!IsWithin(candidate.path, root) && !config_.watch.follow_symlinks) {
    return Fail(ErrorKind::kUsage, fmt::format("{} is not below {}", candidate.path, root));
  }
  watched->notices[candidate.path] = notice;
  watched->readiness.Waive(candidate.path);
  if (watched->readiness.Observe(candidate, parts_.clock.Now())) Inspect(*watched, candidate);
  return {};
}

// 2. couplingd-probe parses the headers and says ready, or why not.
void Pipeline::Inspect(Watched& watched, const Candidate& candidate) {
  watched.readiness.Recheck(candidate.path, parts_.clock.Now(), kRecheckIncomplete);
  ++watched.inspections;
  const auto take = [this, &watched, candidate](Result<InspectAnswer> answer) {
    --watched.inspections;
    if (stopping_) return;
    if (!answer) {
      Report("warning", candidate.path, answer.error().Text());
      Persist("waiting checkpoint", [this, &watched, candidate, reason = answer.error().Text()] {
        return Wait(watched, candidate, reason);
      });
      return;
    }
    Persist("found checkpoint", [this, &watched, candidate, answer = *std::move(answer)] {
      return Admit(watched, candidate, answer);
    });
  };
  parts_.executor.Inspect(candidate.path, watched.config.layout, take);
}

// 3. What is complete gets an identity and a place in the queue, or the reason for which it gets
// none.
Status Pipeline::Admit(Watched& watched, const Candidate& candidate, const InspectAnswer& answer) {
  if (answer.readiness == InspectAnswer::Readiness::kIncomplete) {
    return Wait(watched, candidate, answer.reason);
  }
  Run run = TRY(RunOf(watched.config));
  const auto notice = watched.notices.find(candidate.path);
  const bool told = notice != watched.notices.end();
  const std::int64_t step = candidate.step_from_name      ? candidate.step
                            : told && notice->second.step ? *notice->second.step
                                                          : answer.step.value_or(0);
  HistoryFilter all;
  all.run = run.name;
  all.generation = 0;
  const std::vector<Checkpoint> known = TRY(parts_.history.reader().Checkpoints(all));
  const Identified identified =
      Identify(known, run.generation, step, candidate.path, answer.signature, candidate.written_at);
  watched.readiness.Settle(candidate.path, candidate.fingerprint);
  if (identified.sighting == Sighting::kKnown) return {};

  Checkpoint checkpoint = identified.existing.value_or(Checkpoint{});
  if (identified.sighting == Sighting::kRewound) {
    ++run.generation;
    Report(
        "warning", run.name,
        fmt::format("training went back to step {}: generation {} begins", step, run.generation));
    TRY(parts_.history.SaveRun(run));
  }
  const UnixMillis now = parts_.clock.Now();
  checkpoint.run_id = run.id;
  checkpoint.generation = run.generation;
  checkpoint.step = step;
  checkpoint.path = candidate.path;
  checkpoint.signature = answer.signature;
  checkpoint.written_at = candidate.written_at;
  checkpoint.parameters = watched.config.parameters ? watched.config.parameters : answer.parameters;
  checkpoint.tokens = told && notice->second.tokens ? notice->second.tokens : answer.tokens;
  if (!checkpoint.tokens && run.tokens_per_step) {
    checkpoint.tokens = *run.tokens_per_step * static_cast<double>(step);
  }
  if (checkpoint.discovered_at == 0) checkpoint.discovered_at = now;
  checkpoint.updated_at = now;
  checkpoint.reason.clear();
  if (answer.readiness == InspectAnswer::Readiness::kRefused) {
    checkpoint.state = CheckpointState::kRefused;
    checkpoint.reason = answer.reason;
    Report("error", candidate.path, answer.reason);
  } else if (answer.ephemeral) {
    checkpoint.state = CheckpointState::kSkipped;
    checkpoint.reason = "ephemeral: the trainer removes it at its next save";
  } else if (const auto reason = TRY(ScheduleReason(watched.config, run, step))) {
    checkpoint.state = CheckpointState::kSkipped;
    checkpoint.reason = *reason;
  } else {
    checkpoint.state = CheckpointState::kQueued;
  }
  TRY(parts_.history.SaveCheckpoint(checkpoint));
  watched.notices.erase(candidate.path);
  spdlog::info("{}: step {} is {}{}", run.name, step, ToString(checkpoint.state),
               checkpoint.reason.empty() ? "" : ": " + checkpoint.reason);
  if (checkpoint.state == CheckpointState::kRefused) Tick();
  Dispatch();
  return {};
}

// 4. As many evaluations as the configuration allows, the next from the queue.
void Pipeline::Dispatch() {
  while (!stopping_ &&
         evaluating_.size() < static_cast<std::size_t>(config_.executor.concurrency)) {
    Result<std::vector<Checkpoint>> queue =
        parts_.history.reader().CheckpointsInState(CheckpointState::kQueued);
    if (!queue) return Report("error", "queue", queue.error().Text());
    const UnixMillis now = parts_.clock.Now();
    std::erase_if(*queue, [&](const Checkpoint& c) {
      const auto rests = not_before_.find(c.id);
      return evaluating_.contains(c.id) || (rests != not_before_.end() && now < rests->second) ||
             MustWaitForBudget(c).value_or(false);
    });
    const auto next = NextInQueue(*queue, config_.evaluation.order, last_started_);
    if (!next) return;
    if (const Status started = Evaluate((*queue)[*next]); !started) {
      return Report("error", (*queue)[*next].path, started.error().Text());
    }
  }
}

// 5. The attempt is on record before the process starts: a checkpoint that kills the daemon is not
// tried for ever.
Status Pipeline::Evaluate(Checkpoint checkpoint) {
  const std::string name = TRY(RunName(checkpoint.run_id));
  const Watched* watched = FindWatched(name);
  const UnixMillis now = parts_.clock.Now();
  checkpoint.updated_at = now;
  if (!watched) {
    checkpoint.state = CheckpointState::kSkipped;
    checkpoint.reason = "its run is no longer in the configuration";
    TRY(parts_.history.SaveCheckpoint(checkpoint));
    return {};
  }
  checkpoint.state = CheckpointState::kEvaluating;
  checkpoint.reason.clear();
  ++checkpoint.attempts;
  TRY(parts_.history.SaveCheckpoint(checkpoint));
  last_started_[checkpoint.run_id] = now;
  evaluating_[checkpoint.id] = Running{checkpoint, name, now};
  spdlog::info("{}: step {} is being evaluated (attempt {})", name, checkpoint.step,
               checkpoint.attempts);
  Preserve(evaluating_[checkpoint.id], watched->config);
  return {};
}

void Pipeline::Preserve(Running running, const RunConfig& run) {
  const std::string target = PreservedPath(running.checkpoint.id);
  RemovePreserved(target);
  const auto prepare = [&]() -> Result<WorkerRequest> {
    return RequestFor(run, TRY(PreserveCheckpoint(running.checkpoint.path, target, run.preserve)));
  };
  const Result<WorkerRequest> request = prepare();
  if (!request) {
    boost::asio::post(parts_.io, [this, running, error = request.error()] {
      Persist("failed evaluation",
              [this, running, error] { return RecordFailure(running, error); });
    });
    return;
  }
  parts_.executor.Evaluate(
      running.checkpoint.id, *request,
      [this, running](Result<WorkerResult> result) { Finish(running, std::move(result)); });
}

Result<WorkerRequest> Pipeline::RequestFor(const RunConfig& run, const std::string& path) const {
  WorkerRequest request;
  request.checkpoint = path;
  request.model_config = run.model_config;
  request.tokenizer = run.tokenizer;
  request.packs = run.packs;
  request.evaluation = config_.evaluation;
  request.evaluation.budget =
      TRY(BudgetOf(parts_.history.reader(), config_.evaluation, run.name)).asked;
  // A preserved copy lies outside of what the worker of the run may read.
  request.evaluation.warm_worker &= run.preserve == couplingd::Preserve::kNone;
  request.scores_dir = parts_.history.reader().ScoresDirectory();
  request.read_roots = {path};
  for (const std::string& root : {run.path, DirectoryName(run.model_config), run.tokenizer}) {
    if (!root.empty() && root != ".") request.read_roots.push_back(root);
  }
  return request;
}

void Pipeline::Finish(const Running& running, Result<WorkerResult> result) {
  RemovePreserved(PreservedPath(running.checkpoint.id));
  Persist("evaluation", [this, running, result = std::move(result)] {
    return result ? Record(running, *result) : RecordFailure(running, result.error());
  });
}

// 6. Scores, the checkpoint's new state and what was learned of the run commit together.
Status Pipeline::Record(const Running& running, const WorkerResult& result) {
  const UnixMillis now = parts_.clock.Now();
  std::string family;
  TRY(parts_.history.Transaction([&]() -> Status {
    Checkpoint checkpoint = running.checkpoint;
    checkpoint.state = CheckpointState::kEvaluated;
    checkpoint.weights_hash = result.weights_hash;
    checkpoint.updated_at = now;
    Run run = TRY(RunOf(FindWatched(running.run)->config));
    if (!run.parameters) run.parameters = result.parameters;
    if (!run.d_model) run.d_model = result.d_model;
    if (!checkpoint.parameters) checkpoint.parameters = run.parameters;
    family = run.family;
    TRY(parts_.history.SaveRun(run));
    TRY(parts_.history.SaveCheckpoint(checkpoint));
    TRY(SettleBudget(parts_.history, config_.evaluation, run.name, result));
    for (Evaluation& evaluation :
         ToEvaluations(result, config_.evaluation, running.started_at, now)) {
      evaluation.checkpoint_id = checkpoint.id;
      TRY(parts_.history.SaveEvaluation(evaluation));
    }
    return parts_.history.SetValue("last_evaluation_at", FormatTime(now));
  }));
  evaluating_.erase(running.checkpoint.id);
  spdlog::info("{}: step {} is evaluated after {:.1f} s on {} in {}", running.run,
               running.checkpoint.step, static_cast<double>(now - running.started_at) / 1000,
               result.device, result.dtype);
  NoteSlowness(running.run, std::chrono::milliseconds(now - running.started_at));
  Couple(family);
  Dispatch();
  return {};
}

// The other end of an evaluation: whose fault it was decides what becomes of the checkpoint.
Status Pipeline::RecordFailure(const Running& running, const Error& error) {
  Checkpoint checkpoint = running.checkpoint;
  checkpoint.updated_at = parts_.clock.Now();
  checkpoint.reason = error.Text();
  const bool is_gone =
      !LookAt(checkpoint.path) && LookAt(checkpoint.path).error().kind == ErrorKind::kNotFound;
  if (error.kind == ErrorKind::kCancelled) {
    checkpoint.state = CheckpointState::kQueued;
    --checkpoint.attempts;
  } else if (is_gone || error.kind == ErrorKind::kVanished) {
    checkpoint.state = CheckpointState::kVanished;
    if (is_gone) checkpoint.reason = "it was deleted before it could be read to the end";
  } else if (error.kind == ErrorKind::kInvalidData || error.kind == ErrorKind::kUnsupported) {
    checkpoint.state = CheckpointState::kRefused;
  } else if (error.kind == ErrorKind::kUsage) {
    checkpoint.state = CheckpointState::kFailed;  // another attempt would be asked the same
  } else if (checkpoint.attempts < config_.evaluation.attempts) {
    checkpoint.state = CheckpointState::kQueued;
    not_before_[checkpoint.id] = checkpoint.updated_at + RestAfter(checkpoint.attempts).count();
  } else {
    checkpoint.state = CheckpointState::kFailed;
  }
  TRY(parts_.history.SaveCheckpoint(checkpoint));
  evaluating_.erase(checkpoint.id);
  if (error.kind != ErrorKind::kCancelled) {
    Report(checkpoint.state == CheckpointState::kQueued ? "warning" : "error", checkpoint.path,
           fmt::format("{}: {}", ToString(checkpoint.state), checkpoint.reason));
  }
  Tick();
  Dispatch();
  return {};
}

// 7. γ with its interval for every run and for the family, and where it changes sign.
void Pipeline::Couple(const std::string& family) {
  parts_.analyst.Analyse(family, [this, family](Result<Analysis> analysis) {
    if (!analysis) return Report("error", family, "no coupling: " + analysis.error().Text());
    Persist("coupling",
            [this, family, analysis = *std::move(analysis)] { return Conclude(family, analysis); });
  });
}

// 8. Estimates, the alerts they raise or end, and one outbox row per sink commit together.
Status Pipeline::Conclude(const std::string& family, const Analysis& analysis) {
  TRY(parts_.history.Transaction([&]() -> Status {
    for (const CouplingEstimate& estimate : analysis.couplings)
      TRY(parts_.history.SaveCoupling(estimate));
    for (const Forecast& forecast : analysis.forecasts) TRY(parts_.history.SaveForecast(forecast));
    for (const auto& [subject, interventions] : analysis.advice) advice_[subject] = interventions;
    evidence_[family] = analysis.scores;
    TRY(RaiseAlerts(parts_.history, config_, parts_.clock, advice_, evidence_));
    return {};
  }));
  parts_.deliver();
  return {};
}

bool Pipeline::Tick() {
  const Status raised = RaiseAlerts(parts_.history, config_, parts_.clock, advice_, evidence_);
  if (!raised) {
    Report("error", "rules", raised.error().Text());
    return false;
  }
  parts_.deliver();
  Dispatch();
  return true;
}

}  // namespace couplingd
