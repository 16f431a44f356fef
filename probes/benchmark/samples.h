// lm-eval's per-item files, samples_<task>_<date>.jsonl: packs are read from them, and our scores
// are written as such.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "probes/benchmark/metrics.h"
#include "probes/benchmark/pack.h"
#include "records/score.h"

namespace couplingd {

// A pack with the contexts and continuations that the file's owner used. Right choices come from
// doc.labels or doc.mc2_targets.labels (an MC2 task), else from `target` (an index, or the text of
// a choice), else from doc.answer where the contexts differ (WinoGrande). Where every continuation
// begins with a space, that space is lm-eval's delimiter. Of several filters the first one's rows
// are read. The task's name is in the rows ("task"), else in the file's name.
//
// Items of one doc.subject or doc.category share a cluster where there are at least ten of them.
Result<Pack> ReadSamples(const std::string& path);

// The same with the log-likelihoods that the file holds ("filtered_resps", else "resps"). Items are
// in the order of their doc_id, so that files of one task give one plan whatever wrote them.
struct SampledTask {
  Pack pack;
  TaskScores scores;
};
Result<SampledTask> ReadSampleScores(const std::string& path);
// The rows of one task of a file that may hold several, as `evaluate --samples` writes it;
// kNotFound where it has none. Rows that name no task are of any.
Result<SampledTask> ReadSampleScores(const std::string& path, const std::string& task);

// One line per item in the same shape, with "task" besides: doc_id, doc, target, arguments, resps,
// filtered_resps, filter, metrics, doc_hash, prompt_hash, target_hash (SHA-256), and one key per
// metric. kInvalidData where the parts do not belong together.
Result<std::string> SampleRows(const Pack& pack, const TaskScores& scores,
                               const std::vector<MetricResult>& metrics);

}  // namespace couplingd
