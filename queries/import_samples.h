// lm-eval's per-item files, samples_<task>_<date>.jsonl, as the raw scores of the results files
// they belong to: with them intervals of imported results rest on items, and any metric can be
// computed again.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "queries/import.h"

namespace couplingd {

// True for names such as samples_arc_easy_2025-03-01T10-00-00.123456.jsonl.
bool IsSamplesName(std::string_view name);

// The samples files in the results file's folder that carry its date.
std::vector<SamplesFile> SamplesBeside(const std::string& results_path);

// Moves every task that has a samples file into an evaluation of its own, of the same series, whose
// plan and score files are written into `scores_directory`, and adds the metrics that its samples
// give and the results lack (log_odds). A samples file belongs to the results file of its date,
// else to the only one in its folder. Where what its items give differs from what the results say
// by more than 1e-6, the items are not those of the results and are left out.
//
// What is wrong with a file that was named is an error; with one that was found, a note.
Status AttachSamples(ImportBatch& batch, const std::string& scores_directory);

}  // namespace couplingd
