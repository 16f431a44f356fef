// The way of a checkpoint through the daemon, from a directory that was noticed to an alert that
// was raised. Start reading here: the steps stand in pipeline.cc in the order in which they happen.
//
//   Look → Inspect → Admit → Dispatch → Evaluate → Record → Couple → Conclude
//
// Everything runs on the io_context's thread; what takes long (scanning, inspecting, evaluating,
// estimating, sending) runs elsewhere and calls back. State that must survive a restart is in the
// history, never only here.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "daemon/alerting.h"
#include "daemon/analyst.h"
#include "daemon/executor.h"
#include "daemon/readiness.h"
#include "daemon/scanner.h"
#include "history/store.h"

namespace couplingd {

// A trainer's word that a checkpoint is complete, or that its run has ended.
struct Notice {
  std::string run;
  std::string path;                  // of the checkpoint; empty for the end of the run
  std::optional<std::int64_t> step;  // where the name does not tell
  std::optional<double> tokens;
  bool ended = false;
};

class Pipeline {
 public:
  struct Parts {
    boost::asio::io_context& io;
    const Clock& clock;
    HistoryWriter& history;
    Executor& executor;
    Analyst& analyst;
    std::function<void()> deliver;  // the outbox may have new rows
  };

  // Parts and config outlive the pipeline.
  Pipeline(const Config& config, Parts parts);

  // Registers the configured runs, takes over the evaluations of the pipeline before this one, puts
  // back into the queue what a crash left half done, and couples what was recorded last.
  Status Start();

  // One scan of a run's directory. Returns the paths that the next scan should look into.
  std::set<std::string> Look(const std::string& run, const Result<ScanResult>& scan, bool full);
  Status Take(const Notice& notice);
  // Puts a checkpoint that failed, was refused or was skipped back into the queue.
  Status Retry(std::int64_t checkpoint);
  // No more checkpoints will come: queues what `schedule: final` has kept back. True where that was
  // anything.
  bool FinishRuns();
  // Rules and the queue, so far as they depend on time alone; call it now and then. False where the
  // rules could not be evaluated.
  bool Tick();
  // Removes what evaluations that nobody will go on with have left beside the scores.
  void RemoveUnfinished();
  // No new evaluations; those under way are asked to stop and return to the queue.
  void Stop();
  // Puts what is being evaluated back into the queue without waiting; the pipeline is not used
  // after it.
  void Abandon();
  // Leaves what is being evaluated to the next pipeline on the same executor and history; this one
  // is not used after it.
  void HandOver();

  // Everything that lies in the directories has been seen, and there is nothing left to do about
  // it.
  bool idle() const;
  std::size_t evaluating() const { return evaluating_.size(); }
  // JSON array of {run, step, path, progress, seconds_left, started_at} of what is being evaluated.
  std::string EvaluatingJson() const;

 private:
  struct Watched {
    RunConfig config;
    ReadinessTracker readiness;
    bool seen_all = false;                  // a full scan has been looked at
    int inspections = 0;                    // under way
    std::map<std::string, Notice> notices;  // by path, until the checkpoint is admitted
    std::string last_scan_error;
  };
  struct Running {
    Checkpoint checkpoint;
    std::string run;
    UnixMillis started_at = 0;
  };

  void Inspect(Watched& watched, const Candidate& candidate);
  Status Admit(Watched& watched, const Candidate& candidate, const InspectAnswer& answer);
  Status Wait(Watched& watched, const Candidate& candidate, const std::string& reason);
  void Dispatch();
  Status Evaluate(Checkpoint checkpoint);
  void Preserve(Running running, const RunConfig& run);
  Result<WorkerRequest> RequestFor(const RunConfig& run, const std::string& path) const;
  Result<bool> MustWaitForBudget(const Checkpoint& checkpoint) const;
  void NoteSlowness(const std::string& run, std::chrono::milliseconds took);
  std::string PreservedPath(std::int64_t checkpoint) const;
  bool IsGone(const std::string& checkpoint) const;
  void Finish(const Running& running, Result<WorkerResult> result);
  Status Record(const Running& running, const WorkerResult& result);
  Status RecordFailure(const Running& running, const Error& error);
  void Couple(const std::string& family);
  Status Conclude(const std::string& family, const Analysis& analysis);

  // Runs `write` until it succeeds: a full disk delays what is recorded and loses nothing.
  void Persist(std::string what, std::function<Status()> write);
  void Report(const std::string& level, const std::string& subject, const std::string& text);
  Status TakeOver(Checkpoint checkpoint);
  Status ForgetGone(const Watched& watched, const std::vector<std::string>& gone);
  Result<bool> QueueFinal(const Watched& watched);
  Result<Run> RunOf(const RunConfig& config);
  Result<std::string> RunName(std::int64_t id) const;  // empty where there is none
  Watched* FindWatched(const std::string& run);
  Result<std::optional<std::string>> ScheduleReason(const RunConfig& config, const Run& run,
                                                    std::int64_t step);

  const Config& config_;
  Parts parts_;
  std::map<std::string, Watched> watched_;
  std::map<std::int64_t, Running> evaluating_;  // by checkpoint id
  std::map<std::int64_t, UnixMillis> last_started_;
  std::map<std::int64_t, UnixMillis> not_before_;  // by checkpoint id, after a failed attempt
  Advice advice_;
  EvidenceByFamily evidence_;
  std::set<std::string> slow_;  // runs of which it was said
  int unpersisted_ = 0;         // writes that wait for another try
  bool stopping_ = false;
};

}  // namespace couplingd
