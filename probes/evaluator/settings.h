// The request of couplingd_evaluate (probes/worker/evaluator_abi.h), typed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/benchmark/requests.h"
#include "records/item_budget.h"

namespace couplingd {

enum class WorkerTask {
  kEvaluate,
  kInternals,  // look inside and nothing else
  kSteer,      // steer_task.h
};

struct EvaluationSettings {
  WorkerTask task = WorkerTask::kEvaluate;
  std::string checkpoint;    // directory
  std::string model_config;  // file
  std::string tokenizer;     // directory
  std::vector<std::string> packs;
  std::vector<std::string> read_roots;
  std::string scores_dir;
  std::string samples;  // file to write; empty: none
  std::string device = "auto";
  std::string dtype = "auto";
  std::string bos = "auto";  // auto, true, false
  BosMode bos_mode = BosMode::kAuto;
  int threads = 0;                   // 0: as many as libtorch takes by itself
  int token_budget = 0;              // 0: by the device
  std::optional<ItemBudget> budget;  // absent: all items
  bool internals = false;            // look inside too (internals_task.h)
  std::int64_t seed = 0;
  std::int64_t memory_limit_bytes = 0;  // 0: none
  std::int64_t device_free_bytes = 0;   // of the GPU's memory; 0: nothing says
};

// Errors name the field.
Result<EvaluationSettings> ParseEvaluationSettings(std::string_view request_json);

}  // namespace couplingd
