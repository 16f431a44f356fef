// An opened checkpoint of any format.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probes/checkpoint/confined_file.h"
#include "probes/checkpoint/safetensors.h"
#include "probes/checkpoint/tensor_source.h"

namespace couplingd {

// Whose names the tensors bear, and with them how rows and columns are arranged.
enum class Naming {
  kHuggingFace,
  kTorchtitan,
  kOlmoCore,
  kMegatron,
  kLitgpt,
  kNanotron,        // heads for rotary positions that turn neighbours
  kNanotronHalves,  // or the halves of a head
};

std::string_view ToString(Naming naming);

struct CheckpointOptions {
  ReadRoots read_roots;  // where links inside the directory may lead; the directory itself is
                         // always allowed
  SafetensorsLimits limits;
};

struct WeightsFile {
  std::string name;  // within the directory
  FileStamp stamp;
  std::string header_hash;  // over what describes the tensors in it
  bool is_whole = false;    // header_hash is over the whole content
};

struct CheckpointWeights {
  std::unique_ptr<TensorSource> source;
  std::vector<WeightsFile> files;      // sorted by name
  std::string format = "safetensors";  // what was read, in words
  Naming naming = Naming::kHuggingFace;
  std::optional<std::int64_t> step;    // as the trainer's own files say
  std::optional<std::int64_t> tokens;  // seen by all ranks together
  std::string tokens_source;           // the field that said so
  bool ephemeral = false;              // the trainer will remove it at its next save
};

}  // namespace couplingd
