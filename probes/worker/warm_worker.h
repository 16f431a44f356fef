// Evaluates for one request after the other in a child that is kept between them: libtorch stays
// loaded and the CUDA context alive. Scores are those of a child of its own.
//
// The child's sandbox is that of the request that it was started for: of a daemon the run's watched
// directory, the packs and what the configuration names. A request that needs more, or other
// limits, gets a new child. What a checkpoint could do to the child outlives it there until the
// child ends, so it only ever serves requests of one run.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "probes/worker/frames.h"
#include "probes/worker/gpu_choice.h"
#include "probes/worker/request.h"
#include "probes/worker/supervise.h"

namespace couplingd {

struct WarmWorkerParts {
  const Clock& clock;
  int input_fd = 0;  // requests, one a line
  int output_fd = 1;
  int stop_fd = -1;  // as Supervisor's; between requests it ends the service
  std::function<Result<GpuChoice>(const EvaluateRequest&)> choose{};
  // Whether the process with this id is the only one that computes on the GPU.
  std::function<bool(const std::string& uuid, int pid)> is_alone{};
  std::function<SuperviseOptions(const EvaluateRequest&, const GpuChoice&)> child{};
};

// The request as the child reads it.
SupervisedRequest Supervised(const EvaluateRequest& request);

class WarmWorker {
 public:
  explicit WarmWorker(WarmWorkerParts parts);
  ~WarmWorker();

  // Until the input ends, a stop, or nobody reads; the child ends with it. The frames of every
  // request end with an exit frame. Where a child that has served before fails, or crashes, the
  // same request is served again by a new one, with a note; only what that one says counts. A child
  // ends too when somebody else computes on its GPU, and when its memory has grown.
  Result<int> Serve();

 private:
  struct Warm {
    EvaluateRequest first;  // its sandbox
    std::string asked_device;
    GpuChoice gpu;
    std::unique_ptr<Supervisor> supervisor;
    std::optional<std::uint64_t> resident;  // after its first request
  };

  Result<int> Answer(const std::string& text);
  Result<int> RunIn(Warm& warm, EvaluateRequest request, bool is_tried_again);
  Result<int> StartWith(const std::string& text);
  bool Fits(const EvaluateRequest& request) const;
  bool HasGrown();

  const WarmWorkerParts parts_;
  FrameWriter frames_;
  std::optional<Warm> warm_;
  bool is_over_ = false;
};

}  // namespace couplingd
