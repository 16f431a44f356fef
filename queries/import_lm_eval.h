// Results files of lm-evaluation-harness: the present form (results_<date>.json, keys "acc,none",
// "acc_stderr,none", n-shot, n-samples, configs) and that of its releases before 0.4 (keys "acc",
// "acc_stderr", one num_fewshot).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "queries/import.h"

namespace couplingd {

// Files, and directories that are searched for *.json. A file that is named must be a results file
// or a samples_*.jsonl; one that is found in a directory and is none is left out with a note.
// Samples of a results file's date are looked for beside it; the batch names them, unread. What the
// files say counts, their names only where they are silent:
//   run, family   from model_args' pretrained=; of Pythia's models also parameters, width and
//   tokens per step (2,097,152) step          from revision=stepN, the checkpoint's directory, or
//   the file's name (…_step1000.json) n             from n-samples (effective), absent in the old
//   form
// Every number is a score but those that are NaN ("left out" in the notes); a standard error of
// "N/A" is absent. A filter other than "none" is part of the metric's name:
// "exact_match:strict-match". crows_pairs tasks get the derived metric unstereotyped = 1 −
// pct_stereotype with the same standard error. Tasks that were asked with different numbers of
// shots become evaluations of their own: harness and series key "imported:lm-eval:VERSION:Nshot"
// (version "legacy" in the old form).
Result<ImportBatch> ReadLmEval(const std::vector<std::string>& paths, const ImportOptions& options);

// One file's text. `modified_at` stands in for the date that the old form lacks.
Result<ImportBatch> ParseLmEval(const std::string& text, const std::string& path,
                                UnixMillis modified_at, const ImportOptions& options);

}  // namespace couplingd
