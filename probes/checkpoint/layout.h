// What the names in a run's directory mean. Pure functions of names: nothing is opened, so the
// daemon may use them.
#pragma once

#include <optional>
#include <string_view>

#include "records/checkpoint_names.h"  // StepOfFolder, IsIgnoredName

namespace couplingd {

// How a checkpoint directory is laid out, which decides what proves that it is complete.
enum class Layout {
  kTrainer,  // `checkpoint-N` of the Hugging Face Trainer: trainer_state.json is written last
  kStep,     // `step-N`, `stepN`: complete by structure
  kModel,    // any other directory with a model in it: complete by structure
};

// "trainer", "step", "model".
std::string_view ToString(Layout layout);
std::optional<Layout> ParseLayout(std::string_view text);

// The layout that the directory's own name (no slashes) announces.
Layout LayoutOfName(std::string_view name);

// True for a file whose presence makes a directory a candidate of a bare model: model.safetensors,
// pytorch_model.bin, or the index of either.
bool IsModelMarkerName(std::string_view name);

// Why a directory that holds such a file or subdirectory, but no weights that are read, is not
// read; nothing where the name says nothing. The text names the format: "JAX (Flax msgpack)".
std::optional<std::string_view> ForeignFormatOfName(std::string_view name);

}  // namespace couplingd
