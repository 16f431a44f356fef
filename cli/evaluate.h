// One evaluation in the foreground: couplingd-probe is started, its frames are followed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "queries/import.h"
#include "queries/worker.h"

namespace couplingd {

// Runs `probe evaluate` with the request on its stdin; `on_frame` is called after every line. What
// the probe writes on stderr goes to ours.
Result<WorkerResult> RunProbe(const std::string& probe, const WorkerRequest& request,
                              const Clock& clock,
                              const std::function<void(const WorkerFrames&)>& on_frame);

// {"checkpoint", "step", "model_type", "parameters", "device", "dtype", "bos", "weights_hash",
// "tokenizer_hash", "scores": […]}, the scores in the shape of the verb `scores`.
std::string EvaluationJson(const WorkerResult& result, const ImportedResult& about);

// The evaluations of the result as records that import.h takes: one per pack.
std::vector<ImportedResult> ToImport(const WorkerResult& result, const ImportedResult& about,
                                     const EvaluationConfig& config, UnixMillis started_at,
                                     UnixMillis finished_at);

}  // namespace couplingd
