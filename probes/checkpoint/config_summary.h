// The few fields of a model's config.json that describe a checkpoint without loading it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/tensor_source.h"

namespace couplingd {

struct ConfigSummary {
  std::string model_type;               // empty where the file does not say
  std::optional<std::int64_t> d_model;  // hidden_size, n_embd or d_model
  bool tied_embeddings = false;         // the output matrix is the embedding
};

// `source` names the file in errors.
Result<ConfigSummary> ParseConfigSummary(std::string_view text, std::string_view source);

struct ParameterCount {
  std::int64_t all = 0;  // an output matrix that is tied to the embedding counts once
  std::int64_t outside_embeddings = 0;
};

// Counts by the headers alone. Buffers that some releases stored beside the weights (attention
// masks, rotary frequencies) are not parameters.
ParameterCount CountParameters(const std::vector<TensorInfo>& tensors, bool tied_embeddings);

}  // namespace couplingd
