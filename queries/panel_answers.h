// Answers about what others published; they need no history. docs/json.md has the shapes.
#pragma once

#include <string>

#include "base/result.h"
#include "coupling/reproduce/reproduce.h"

namespace couplingd {

struct PanelQuery {
  std::string family;  // empty: all
  std::string table;   // empty: the cleaned panel; else a table of the original, as published
};

// Array of {model, family, parameters, d_model, hellaswag, truthfulqa_mc2, arc_challenge,
// winogrande, mmlu, tables, source, flaws}. A table or family that is not there is kUsage with the
// names that are.
Result<std::string> AnswerPanel(const BasePanel& panel, const PanelQuery& query);

// Array of {flaw, treatment, explanation}.
std::string PanelFlawsJson(const BasePanel& panel);

// Array of {id, quantity, unit, published, recomputed, low, high, level, verdict, reason}.
Result<std::string> AnswerReproduce(const PublishedData& data, const ReproduceOptions& options);

}  // namespace couplingd
