// The questions that couplingctl and the HTTP API ask of a history. Each answer is one JSON
// document, the same whether the daemon gives it over its socket or couplingctl takes it from the
// database itself; docs/json.md documents the shapes.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "history/store.h"

namespace couplingd {

// Parameters by name, as in the API's query string and couplingctl's options:
//   run family task metric axes over generation step tokens since limit method recompute
// `step` and `tokens` are ranges "A..B", open on either side ("1000..", "..2B", "1000" for one
// value). `axes` is the name of a configured pair or "task.metric,task.metric" (reasoning first).
// `since` is a duration back from now ("7d") or an RFC 3339 time.
using QueryParameters = std::map<std::string, std::string>;

// Verbs: status runs checkpoints scores noise rescore history coupling forecast alerts deliveries
// events.
//   status       object {store, runs, queue, checkpoints{state: n}, alerts, deliveries,
//   false_alarms, last_evaluation, problems[]} runs         array of {run, family, generation,
//   path, parameters, d_model, tokens_per_step, checkpoints{state: n}, last_step, last_tokens}
//   checkpoints  array of {id, run, generation, step, tokens, path, state, reason, attempts,
//   weights_hash, discovered_at, updated_at} scores       array of {run, family, checkpoint, step,
//   tokens, parameters, task, metric, value, stderr, n} history      array of {run, family, step,
//   tokens, parameters, axes, reasoning, reasoning_stderr, truthfulness, truthfulness_stderr,
//                gamma, low, high, phase}: the trajectory of an axis pair, one row per checkpoint
//   coupling     array of {family, run, axes, over, at, gamma, low, high, phase, method, n, reason}
//   (and tokens, level, p_tax, p_bonus) forecast     array of {family, run, axes, quantity, method,
//   value, low, high, level, p_crossing, horizon, n, reason} alerts       array of {key, sequence,
//   state, rule, kind, run, subject, severity, summary, description, starts_at, ends_at,
//                interventions[{kind, action, reason}], deliveries[{sink, state, attempts,
//                last_outcome}]}
//   deliveries   array of {id, delivery_id, sink, alert_key, sequence, state, attempts,
//   next_attempt_at, last_outcome} events       array of {at, level, subject, text, count}
// An unknown verb or parameter, and a value that does not parse, is kUsage and names it.
Result<std::string> Answer(HistoryReader& history, const Config& config, const Clock& clock,
                           std::string_view verb, const QueryParameters& parameters);

std::vector<std::string_view> QueryVerbs();

}  // namespace couplingd
