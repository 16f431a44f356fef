// The sides of a comparison of scores (probes/benchmark/agreement.h), from files and from the
// history.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "history/store.h"
#include "probes/benchmark/agreement.h"

namespace couplingd {

// The rows of `task` in a samples file, of lm-eval or of `evaluate --samples`; an empty task takes
// a file of one task.
Result<ScoredSide> SideOfSamples(const std::string& path, const std::string& task);

// The results file of the samples file's date beside it; empty where there is none.
std::string ResultsBeside(const std::string& samples_path);

// Takes from lm-eval's results file what it states of the model: dtype, window, add_bos_token,
// special tokens. What it does not state stays as it is. lm-eval 0.4.13 and later leave BOS to the
// tokenizer where add_bos_token is not given.
Status AddResultsFacts(const std::string& results_path, ScoredSide& side);

// The stored scores of a run's step (absent: its newest) on this pack, with token counts and dtype.
// kNotFound where no evaluation of the pack is stored with its scores; kInvalidData where those of
// the pack's name are of another pack.
Result<ScoredSide> SideOfRun(HistoryReader& history, const std::string& run,
                             std::optional<std::int64_t> step, const Pack& pack);

}  // namespace couplingd
