// A model's weights on the device, in one arrangement for all families: projections as [out, in],
// queries, keys and values in one matrix, gate and up in one matrix.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/tensor_source.h"
#include "probes/checkpoint/weights_hasher.h"
#include "probes/device/factory.h"
#include "probes/model/config.h"
#include "probes/model/load_report.h"

namespace couplingd {

struct Norm {
  bool exists = false;  // otherwise it changes nothing
  at::Tensor weight;    // [size], or [heads, head_dim]; undefined where there is none
  at::Tensor bias;      // likewise
};

struct Projection {
  at::Tensor weight;  // [out, in], of any strides; undefined once packed, or where there is none
  at::Tensor bias;    // [out]; undefined where there is none
  at::Tensor packed;  // in its place, where packed_linear.h made it

  // As libtorch's operators take it.
  std::optional<at::Tensor> OptionalBias() const {
    return bias.defined() ? std::optional(bias) : std::nullopt;
  }
};

// In place of one MLP: a router and many small gated ones.
struct ExpertWeights {
  Projection router;                       // [experts, hidden]; undefined in layers with one MLP
  at::Tensor router_scale, expert_scale;   // [hidden], [experts]; Experts::beside_mlp only
  Norm mlp_norm, input_norm, output_norm;  // likewise
  at::Tensor up;                           // [experts, 2 · size, hidden], rows: gate, up
  at::Tensor down;                         // [experts, hidden, size]
};

struct LayerWeights {
  Norm first_norm, attention_output_norm, second_norm, mlp_output_norm;
  Norm query_norm, key_norm;
  Projection qkv;  // rows: all queries, then all keys and all values that the layer has
  Projection output;
  Projection up;  // rows: gate, up where the MLP is gated
  Projection down;
  ExpertWeights experts;
  Projection layer_input_gate, layer_input_projection;  // undefined without LayerInputs
  Norm layer_input_norm;
  at::Tensor scale;  // [1]; undefined where there is none
};

struct Weights {
  at::Tensor embedding;   // [vocab, embedding size]
  Projection project_in;  // embedding size to hidden; undefined where they are the same
  at::Tensor positions;   // [positions, hidden]; undefined without learned positions
  Norm embedding_norm;
  at::Tensor layer_embedding;   // [vocab, layers · size]; undefined without LayerInputs
  Projection layer_projection;  // hidden to layers · size
  Norm layer_projection_norm;   // [size]
  std::vector<LayerWeights> layers;
  Norm final_norm;
  Projection project_out;  // hidden to embedding size
  Projection head;         // [vocab, embedding size]; the embedding itself where they are tied
};

// Weights that are being read: what lies outside the layers is there, the layers come in order, in
// the background. What is not read yet when it ends is given up.
class IncomingWeights {
 public:
  virtual ~IncomingWeights() = default;

  // Without its layers.
  virtual const Weights& outside() const = 0;
  // Waits for layer `index`; it stays where it is. What stopped the reading is the error.
  virtual Result<const LayerWeights*> Layer(std::size_t index) = 0;
  // Waits for all; the source may go afterwards. One thread at a time.
  virtual Result<LoadReport> Finish() = 0;
};

// Reads every tensor once, hashing, checking and converting on the way, several side by side
// (SetComputeThreads); besides the model at most four tensors as stored are in memory. Refused,
// with the tensors' names, here or when they are read: missing ones, wrong shapes, element types
// that are not floating point, tensors that the family has no place for, NaN and infinity.
Result<std::unique_ptr<IncomingWeights>> LoadWeights(const TensorSource& source,
                                                     const ModelConfig& config,
                                                     const TensorFactory& factory);

}  // namespace couplingd
