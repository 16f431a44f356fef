// What evaluations measure. Values are fractions everywhere; percent only on screen.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace couplingd {

// The log-likelihood of one choice of one item, summed over the choice's tokens (natural
// logarithm), and whether every one of those tokens was the model's most likely one.
struct ChoiceScore {
  double log_likelihood = 0;
  bool is_greedy = false;
};

// What scoring has to know of a choice beside its log-likelihood.
struct ChoiceInfo {
  std::uint32_t characters =
      0;                     // Unicode code points of the choice, without the delimiter before it
  std::uint32_t bytes = 0;   // UTF-8 bytes of the same
  std::uint32_t tokens = 0;  // continuation tokens that were scored
  bool is_true = false;      // label; a single-answer item has exactly one true choice, its gold
};

struct ItemInfo {
  std::string id;       // unique within its task, stable over versions of the data
  std::string cluster;  // TruthfulQA category, MMLU subject, …; empty where there is none
  std::vector<ChoiceInfo> choices;
};

// The items of one task as they were scored: everything that depends on pack and tokenizer and not
// on the model, so that any metric can be computed again from the stored log-likelihoods.
struct TaskPlan {
  std::string task;                  // "truthfulqa_mc2"
  std::vector<std::string> metrics;  // of the pack, headline first: "acc_norm", "acc", …
  std::vector<ItemInfo> items;
};

// Log-likelihoods of one task: scores[item][choice], parallel to TaskPlan::items.
struct TaskScores {
  std::string task;
  std::vector<std::vector<ChoiceScore>> scores;
};

// One aggregate.
struct Score {
  std::string task;
  std::string metric;
  double value = 0;
  std::optional<double>
      stderr_value;               // sample standard deviation / sqrt(n); absent if n < 2 or unknown
  std::optional<std::int64_t> n;  // items
};

// One evaluation of one checkpoint, or one imported result.
struct Evaluation {
  std::int64_t id = 0;
  std::int64_t checkpoint_id = 0;
  std::string key;  // weights hash, tokenizer, pack, scorer version, dtype, BOS
  std::string
      series_key;    // the key without the weights hash: what differs in it is never one series
  std::string pack;  // pack name
  std::string pack_hash;
  std::string harness;    // "couplingd:<scorer version>" or "imported:<harness>:<version>:<shots>"
  std::string device;     // "cpu", "cuda:GPU-…"; empty if imported
  std::string dtype;      // "fp32", "bf16", "fp16"
  std::string plan_hash;  // of the plan file; empty where only aggregates are known
  std::string scores_hash;  // of the score file
  UnixMillis started_at = 0;
  UnixMillis finished_at = 0;
  std::vector<Score> scores;
};

// A score with what it belongs to: the row of `couplingctl scores`.
struct ScoreRow {
  std::string run;
  std::string family;
  std::string checkpoint;  // path
  std::int64_t step = 0;
  int generation = 1;
  std::optional<double> tokens;
  std::optional<double> parameters;
  Score score;
  std::int64_t evaluation_id = 0;
  std::string series_key;
  std::string pack_hash;
  std::string plan_hash;  // empty: only aggregates are known
  std::string scores_hash;
  UnixMillis finished_at = 0;
};

}  // namespace couplingd
