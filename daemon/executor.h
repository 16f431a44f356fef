// Runs couplingd-probe for the daemon, several at once, without blocking it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "config/config.h"
#include "queries/worker.h"

namespace couplingd {

// What `couplingd-probe inspect` said of a directory.
struct InspectAnswer {
  enum class Readiness { kReady, kIncomplete, kRefused };
  Readiness readiness = Readiness::kIncomplete;
  std::string reason;  // why not ready
  std::string layout;
  std::string signature;
  std::string model_type;
  std::optional<std::int64_t> step;
  std::optional<double> tokens;
  std::optional<double> parameters;
  std::optional<int> d_model;
  bool ephemeral = false;  // the trainer removes it at its next save
};

Result<InspectAnswer> ParseInspectAnswer(std::string_view json);

struct EvaluationProgress {
  double fraction = 0;                            // 0 to 1
  std::optional<std::chrono::milliseconds> left;  // absent until there is a speed
};

// What Adopt found under a tag.
enum class Adoption {
  kTaken,    // the same request: `done` will be called
  kStopped,  // another request: it was stopped, and nothing is called
  kUnknown,  // nothing
};

// Outlives the services that it works for one after the other: evaluations go on while one service
// hands over to the next. Callbacks happen on the thread of the io_context that is served. Calls
// come from one thread at a time. Destroying the executor kills what runs.
class Executor {
 public:
  virtual ~Executor() = default;

  // Callbacks are posted to `io` from now on, which lives until Leave().
  virtual void Serve(boost::asio::io_context& io) = 0;
  // No callback is posted any more. Inspections are forgotten; evaluations go on, and what they
  // give waits to be adopted.
  virtual void Leave() = 0;

  // `layout` is a layout's name, or "auto".
  virtual void Inspect(const std::string& directory, const std::string& layout,
                       std::function<void(Result<InspectAnswer>)> done) = 0;
  // `tag` names the evaluation in Adopt(), Progress() and Cancel().
  virtual void Evaluate(std::int64_t tag, const WorkerRequest& request,
                        std::function<void(Result<WorkerResult>)> done) = 0;
  // Takes over an evaluation that an earlier service began, if it would be begun with the same
  // request now.
  virtual Adoption Adopt(std::int64_t tag, const WorkerRequest& request,
                         std::function<void(Result<WorkerResult>)> done) = 0;
  // Asks the process to stop (SIGTERM, after a grace SIGKILL); `done` follows with kCancelled or
  // what it still finished.
  virtual void Cancel(std::int64_t tag) = 0;
  // Nothing done for a tag that does not run.
  virtual EvaluationProgress Progress(std::int64_t tag) const = 0;
  virtual std::size_t running() const = 0;  // evaluations
};

// `probe` is the program and its leading arguments: {"…/couplingd-probe"} or the configured
// command. A worker that evaluation.warm_worker keeps waits so long for another evaluation. The
// clock outlives the executor.
std::unique_ptr<Executor> MakeLocalExecutor(
    std::vector<std::string> probe, const Clock& clock,
    std::chrono::milliseconds keep_warm = std::chrono::minutes(10));

}  // namespace couplingd
