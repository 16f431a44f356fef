// What evaluation.budget means for a run. A budget of time becomes a number of items at the run's
// first evaluation and stays that number, on record in the history: checkpoints can only be
// compared over the same items, so where the machine is slower later, evaluations take longer.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "config/config.h"
#include "history/store.h"
#include "queries/worker.h"
#include "records/item_budget.h"

namespace couplingd {

struct RunBudget {
  std::optional<ItemBudget> asked;  // of the worker; absent: all items
  bool is_open = false;             // the next evaluation of the run decides
};

// Another budget or seed in the configuration opens it again.
Result<RunBudget> BudgetOf(HistoryReader& history, const EvaluationConfig& config,
                           const std::string& run);

// Where it is open, what this result asked is it from now on.
Status SettleBudget(HistoryWriter& history, const EvaluationConfig& config, const std::string& run,
                    const WorkerResult& result);

}  // namespace couplingd
