// The library's two functions. Nothing is thrown across them.
#include <fmt/format.h>

#include <exception>
#include <new>

#include "base/clock.h"
#include "probes/evaluator/evaluation.h"
#include "probes/evaluator/internals_task.h"
#include "probes/evaluator/steer_task.h"
#include "probes/worker/evaluator_abi.h"
#include "probes/worker/frames.h"

namespace couplingd {
namespace {

// The result frame.
Result<std::string> Work(const char* request_json, const EvaluationSettings& settings,
                         const Clock& clock, const SendFrame& send) {
  switch (settings.task) {
    case WorkerTask::kEvaluate:
      return Evaluate(settings, clock, send);
    case WorkerTask::kInternals:
      return RunInternals(settings, clock, send);
    case WorkerTask::kSteer:
      return RunSteering(settings, TRY(ParseSteeringSettings(request_json)), clock, send);
  }
  return Fail(ErrorKind::kInternal, "there is no such task");
}

Status EvaluateAndAnswer(const char* request_json, FrameWriter& frames) {
  try {
    const EvaluationSettings settings = TRY(ParseEvaluationSettings(request_json));
    const SystemClock clock;
    const SendFrame send = [&](std::string_view frame) { return frames.Write(frame); };
    return frames.Write(TRY(Work(request_json, settings, clock, send)));
  } catch (const std::bad_alloc&) {
    return Fail(ErrorKind::kExhausted, "the evaluation ran out of memory",
                "lower evaluation.token_budget, or give it more memory", /*retryable=*/true);
  } catch (const std::exception& error) {
    return Fail(ErrorKind::kInternal, fmt::format("the evaluation failed: {}", error.what()));
  }
}

}  // namespace
}  // namespace couplingd

int couplingd_evaluator_abi(void) { return COUPLINGD_EVALUATOR_ABI; }

int couplingd_evaluate(const char* request_json, int frames_fd) {
  couplingd::FrameWriter frames(frames_fd);
  const couplingd::Status status = couplingd::EvaluateAndAnswer(request_json, frames);
  if (status) return 0;
  const couplingd::Error& error = status.error();
  (void)frames.Write(couplingd::ErrorFrame(error, error.kind == couplingd::ErrorKind::kExhausted));
  return couplingd::ExitCode(error.kind);
}
