// The inside of a model, measured in the worker.
#pragma once

#include <string>

#include "base/json.h"
#include "probes/evaluator/model_session.h"
#include "probes/internals/internals.h"

namespace couplingd {

struct InternalsOptions {
  bool ranks = false;  // the sweep over ranks of the output matrix
};

// Of an opened session: the built-in prompts as this model reads them.
Result<EncodedPrompts> EncodeBuiltInPrompts(const ModelSession& session);

// Shows the loaded model the built-in prompts, then one of the same shape that never learned, which
// takes its place in the session.
Result<Internals> MeasureInternals(ModelSession& session, const InternalsOptions& options);

// The scores as an entry of a result frame's "packs", named after their task. There are no plan and
// score files: its hashes are empty.
void WriteInternalsPack(JsonWriter& json, const Internals& internals);
// The member "report" of a result frame: {"internals":{…}} as of internals.h.
void WriteReport(JsonWriter& json, const Internals& internals);

// The task "internals": sends start, progress and note frames, and returns the result frame, which
// has the shape of Evaluate's without "tokens".
Result<std::string> RunInternals(const EvaluationSettings& settings, const Clock& clock,
                                 const SendFrame& send);

}  // namespace couplingd
