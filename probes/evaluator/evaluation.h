// One evaluation of one checkpoint: every step from the files to the result, in order.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "probes/evaluator/model_session.h"
#include "probes/evaluator/settings.h"

namespace couplingd {

// Sends start, progress, task and note frames, and returns the result frame. Plan and score files
// are on disk before it returns.
//
// start {"model_type","parameters","device","dtype","packs","requests","memory_bytes","tokens":{…}}
// progress  {"done","total","task"}: tokens of the trie; the first before anything is forwarded
// task      {"task","items","scores":[{"task","metric","value","stderr","n"}]}
// result
// {"weights_hash","parameters","d_model","model_type","tokenizer_hash","dtype","device","bos",
//            "scorer","items","tokens":{"naive","trie","forwarded","read","rows"},"seconds":{…},
//            "packs":[{"name","hash","plan_hash","scores_hash","scores":[…]}],"report":{…}}
//
// "items" is how many are asked of each pack, null for all. A budget of time decides it after the
// model is loaded, from its speed; measuring counts towards the budget.
//
// One that was killed goes on where it stood when it is asked for again (score_log.h).
//
// With settings.internals, what internals_task.h measures is one more pack, and the report.
Result<std::string> Evaluate(const EvaluationSettings& settings, const Clock& clock,
                             const SendFrame& send);

}  // namespace couplingd
