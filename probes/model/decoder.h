// A decoder-only transformer. No libtorch in this header.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/tensor_source.h"
#include "probes/device/place.h"
#include "probes/model/config.h"
#include "probes/model/forward_hook.h"
#include "probes/model/forward_plan.h"
#include "probes/model/load_report.h"

namespace couplingd {

struct TokenScore {
  float log_probability = 0;
  bool is_argmax = false;  // the token is the first maximum of its row of logits
};

// Not thread-safe; it uses libtorch's threads by itself.
class Decoder {
 public:
  virtual ~Decoder() = default;

  // Forwards one pack and fills scores[read_begin … read_end) of it; `scores` has one element per
  // read of the plan. The packs of a plan go in order, starting with 0, which forgets what an
  // earlier plan kept. kInvalidData: a token or position that the model does not have, or logits
  // that are NaN or infinite.
  virtual Status Run(const ForwardPlan& plan, std::size_t pack, std::span<TokenScore> scores) = 0;

  // For a plan that goes on after a break: forget all, then forward again, in order, the packs of
  // which later ones attend to a segment. Nothing is read. Other ancestors of such a pack are gone
  // and count as zeros, so that only rows come out right whose ancestors were brought back: those
  // that later packs attend to.
  virtual void Forget() = 0;
  virtual Status Restore(const ForwardPlan& plan, std::size_t pack) = 0;

  // All logits of one sequence, [tokens, vocab] row by row. For comparisons with other
  // implementations.
  virtual Result<std::vector<float>> Logits(std::span<const TokenId> tokens) = 0;

  // Logits of the token after `text`, [vocab]. Its first `known` tokens are the whole text of the
  // call before and are not forwarded again; 0 begins another text. kUsage: they are not. Errors
  // as of Run.
  virtual Result<std::vector<float>> NextLogits(std::span<const TokenId> text,
                                                std::size_t known) = 0;

  // From now on every forward pass goes through the hook, which the caller keeps alive; nullptr:
  // through none.
  virtual void Attach(ForwardHook* hook) = 0;

  virtual const ModelConfig& config() const = 0;

  // Waits until all weights are read. Refused, here or by what first needs them: weights that
  // LoadWeights (weights.h) refuses.
  virtual Result<LoadReport> FinishLoading() = 0;
};

struct DecoderOptions {
  std::int64_t memory_limit_bytes = 0;  // of the weights in the compute type; 0: none
  bool batched_attention = false;       // use the device-independent kernel everywhere
};

// A decoder that can be used at once, while its layers are still read onto the place in the
// background. The source outlives FinishLoading, or the decoder.
Result<std::unique_ptr<Decoder>> StartDecoder(const TensorSource& source, const ModelConfig& config,
                                              const Place& place,
                                              const DecoderOptions& options = {});

struct LoadedDecoder {
  std::unique_ptr<Decoder> decoder;
  LoadReport report;
};

// Both at once. The source may be closed afterwards.
Result<LoadedDecoder> LoadDecoder(const TensorSource& source, const ModelConfig& config,
                                  const Place& place, const DecoderOptions& options = {});

// Threads that libtorch uses for one operation; of the whole process.
void SetComputeThreads(int threads);
int ComputeThreads();

}  // namespace couplingd
