// Runs couplingd-probe for the daemon, several at once, without blocking it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

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
};

Result<InspectAnswer> ParseInspectAnswer(std::string_view json);

// All calls and callbacks happen on the io_context's thread. Destroying the executor kills what
// runs.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void Inspect(const std::string& directory,
                       std::function<void(Result<InspectAnswer>)> done) = 0;
  // `tag` names the evaluation in Progress() and Cancel().
  virtual void Evaluate(std::int64_t tag, const WorkerRequest& request,
                        std::function<void(Result<WorkerResult>)> done) = 0;
  // Asks the process to stop (SIGTERM, after a grace SIGKILL); `done` follows with kCancelled or
  // what it still finished.
  virtual void Cancel(std::int64_t tag) = 0;
  // 0 to 1; 0 for a tag that does not run.
  virtual double Progress(std::int64_t tag) const = 0;
  virtual std::size_t running() const = 0;  // evaluations
};

// `probe` is the program and its leading arguments: {"…/couplingd-probe"} or the configured
// command.
std::unique_ptr<Executor> MakeLocalExecutor(boost::asio::io_context& io,
                                            std::vector<std::string> probe);

}  // namespace couplingd
