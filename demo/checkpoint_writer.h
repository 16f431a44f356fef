// Writes a model as the Hugging Face Trainer does: config.json, model.safetensors, tokenizer files,
// trainer_state.json last.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "demo/tiny_llama.h"
#include "demo/vocabulary.h"

namespace couplingd {

// Makes `run_directory`/checkpoint-STEP. `tokens`: seen in training so far.
Status WriteCheckpoint(const std::string& run_directory, const TinyLlama& model,
                       const Vocabulary& vocabulary, std::int64_t step, std::int64_t tokens);

}  // namespace couplingd
