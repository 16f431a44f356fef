// What an evaluation will take of its device's memory, known before anything is loaded.
#pragma once

#include <cstdint>
#include <string>

#include "probes/model/config.h"
#include "probes/model/forward_plan.h"

namespace couplingd {

struct MemoryPlace {
  std::int64_t element_bytes = 4;  // of weights and activations
  int threads = 1;                 // that work side by side; 1 on a GPU
  bool is_cuda = false;
};

// In bytes.
struct MemoryEstimate {
  std::int64_t weights = 0;
  std::int64_t staging = 0;         // beside the weights while those outside the layers are loaded
  std::int64_t layers_staging = 0;  // while layers are, and the first pack already runs
  std::int64_t kept = 0;         // keys and values that later packs attend to, where most are alive
  std::int64_t activations = 0;  // of the largest pack
  std::int64_t workspace = 0;    // tiles of all threads, masks, logits
  std::int64_t runtime = 0;      // libtorch itself, or the CUDA context

  std::int64_t Peak() const;
  std::string Text() const;  // "weights 513 MiB, keys and values 12 MiB, …, in all 790 MiB"
};

// The formula, with e bytes an element, d the hidden size, q and k the widths of all queries and of
// all keys, f the widest MLP's input to `down`, V the vocabulary, R the rows of the largest pack:
//   weights      e · parameters
//   kept         e · 2 · k · layers · (tokens of segments that a later pack attends to)
//   activations  e · R · (2 d + 2 q + 2 k), one layer at a time, the residual stream in between
//   workspace    CPU: threads · 512 rows · 4 bytes · (4 d + q + 2 k + 3 f), and as many tiles of
//                64 rows against the longest path; CUDA: a tile of logits, and the larger of
//                e · R · (4 d + 3 f) and a batch of attention: its scores, keys and values; and a
//                mask of 1 + e bytes (1 in fp32) for every row and key of the longest path
// The larger of loading and running counts, with the weights.
MemoryEstimate EstimateMemory(const ModelConfig& config, const ForwardPlan& plan,
                              const MemoryPlace& place);

}  // namespace couplingd
