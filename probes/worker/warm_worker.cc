#include "probes/worker/warm_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "probes/worker/frames.h"
#include "probes/worker/line_reader.h"

namespace couplingd {
namespace {

constexpr std::uint64_t kMayGrow = 256u << 20;  // or by a quarter

}  // namespace

SupervisedRequest Supervised(const EvaluateRequest& request) {
  SupervisedRequest supervised{.text = request.Json()};
  if (request.timeout_s) supervised.timeout = std::chrono::seconds(*request.timeout_s);
  if (request.grace_ms) supervised.grace = std::chrono::milliseconds(*request.grace_ms);
  return supervised;
}

WarmWorker::WarmWorker(WarmWorkerParts parts)
    : parts_(std::move(parts)), frames_(parts_.output_fd) {}
WarmWorker::~WarmWorker() = default;

Result<int> WarmWorker::Serve() {
  LineReader requests(parts_.input_fd, kMaxRequestBytes);
  while (!is_over_) {
    const std::optional<std::string> text = TRY(requests.Next(parts_.stop_fd));
    if (!text) return 0;
    const Result<int> served = Answer(*text);
    if (served && is_over_) return *served;
    if (served) continue;
    const int code = ExitCode(served.error().kind);
    TRY(frames_.Write(ErrorFrame(served.error())));
    TRY(frames_.Write(
        ToJson(ExitFrame{.code = code, .text = fmt::format("exit code {}, not started", code)})));
  }
  return 0;
}

Result<int> WarmWorker::Answer(const std::string& text) {
  EvaluateRequest request = TRY(ParseEvaluateRequest(text));
  if (warm_ && !Fits(request)) warm_.reset();
  if (!warm_) return StartWith(text);
  const int code = TRY(RunIn(*warm_, std::move(request), /*is_tried_again=*/true));
  const std::optional<Error> untold = warm_->supervisor->untold();
  if (!untold) {
    if (HasGrown()) warm_.reset();
    return code;
  }
  warm_.reset();
  TRY(frames_.Write(NoteFrame(
      "worker", fmt::format("evaluated again in a new process, as the one that was kept has "
                            "failed: {}",
                            untold->message))));
  return StartWith(text);
}

// In a child of its own, which is then kept.
Result<int> WarmWorker::StartWith(const std::string& text) {
  EvaluateRequest request = TRY(ParseEvaluateRequest(text));
  Warm warm;
  warm.first = TRY(ParseEvaluateRequest(text));
  warm.asked_device = request.device;
  warm.gpu = TRY(parts_.choose(request));
  warm.supervisor = std::make_unique<Supervisor>(parts_.child(request, warm.gpu), parts_.clock);
  TRY(frames_.Write(NoteFrame("device", warm.gpu.note)));
  warm_ = std::move(warm);
  const int code = TRY(RunIn(*warm_, std::move(request), /*is_tried_again=*/false));
  warm_->resident = warm_->supervisor->ResidentBytes();
  if (code != 0) warm_.reset();
  return code;
}

Result<int> WarmWorker::RunIn(Warm& warm, EvaluateRequest request, bool is_tried_again) {
  request.device = warm.gpu.device;
  request.device_free_bytes = warm.gpu.free_bytes;
  SupervisedRequest supervised = Supervised(request);
  supervised.is_last = false;
  supervised.is_tried_again = is_tried_again;
  const int code = warm.supervisor->Run(supervised);
  is_over_ = warm.supervisor->was_stopped();
  return code;
}

bool WarmWorker::Fits(const EvaluateRequest& request) const {
  if (!warm_->supervisor->is_waiting() || request.device != warm_->asked_device) return false;
  if (!CanFollow(warm_->first, request)) return false;
  return warm_->gpu.visible.empty() ||
         parts_.is_alone(warm_->gpu.visible, warm_->supervisor->pid());
}

bool WarmWorker::HasGrown() {
  const std::optional<std::uint64_t> now = warm_->supervisor->ResidentBytes();
  if (!now || !warm_->resident) return true;
  return *now > *warm_->resident + std::max(kMayGrow, *warm_->resident / 4);
}

}  // namespace couplingd
