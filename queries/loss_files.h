// Training losses from the logs that trainers write.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "records/loss.h"

namespace couplingd {

struct LossLog {
  std::string source;             // the file
  std::string format;             // trainer_state, tensorboard, wandb, json_lines, megatron, csv
  std::string name;               // what the log calls it: "train/loss"
  std::vector<LossPoint> points;  // in order of step, each step once
  std::vector<std::string> notes;
};

// Recognised by content:
//   trainer_state.json   "log_history" of the Hugging Face Trainer
//   TensorBoard          events.out.tfevents.* (event_logs.h)
//   Weights & Biases     run-*.wandb of a run that was offline (event_logs.h)
//   JSON lines           objects with a step (step, _step, global_step, iteration,
//   trainer/global_step)
//                        and values; one that is cut short at the end of the file is left out
//   Megatron             "iteration 100/ 500000 | … | lm loss: 2.3E+00 | …" among other lines;
//                        "consumed tokens" where it says so
//   CSV                  a header with a step and values, as above
// `key` names the value; by default the one that is the training loss by its name. Files beyond
// 512 MiB are refused.
Result<LossLog> ReadLossLog(const std::string& path, const std::string& key);

// At most `most` points: neighbouring ones are averaged, each group standing at its last step.
// Groups are equal in number of points.
std::vector<LossPoint> ThinLosses(const std::vector<LossPoint>& points, std::size_t most);

}  // namespace couplingd
