#include "daemon/run_budget.h"

#include <fmt/format.h>

#include <string_view>

namespace couplingd {
namespace {

constexpr std::string_view kAll = "all";

std::string KeyOf(const std::string& run) { return "items:" + run; }

// "60s seed 1: " stands before what was decided for it.
std::string Question(const EvaluationConfig& config) {
  return fmt::format("{} seed {}: ", FormatItemBudget(*config.budget), config.seed);
}

}  // namespace

Result<RunBudget> BudgetOf(HistoryReader& history, const EvaluationConfig& config,
                           const std::string& run) {
  if (!config.budget || config.budget->items) return RunBudget{config.budget};
  const RunBudget open{config.budget, true};
  const std::optional<std::string> value = TRY(history.Value(KeyOf(run)));
  const std::string question = Question(config);
  if (!value || !value->starts_with(question)) return open;
  const std::string decided = value->substr(question.size());
  if (decided == kAll) return RunBudget{};
  const Result<ItemBudget> items = ParseItemBudget(decided);
  if (!items || !items->items) return open;
  return RunBudget{*items};
}

Status SettleBudget(HistoryWriter& history, const EvaluationConfig& config, const std::string& run,
                    const WorkerResult& result) {
  if (!TRY(BudgetOf(history.reader(), config, run)).is_open) return {};
  const std::string decided =
      result.items ? FormatItemBudget({.items = result.items}) : std::string(kAll);
  return history.SetValue(KeyOf(run), Question(config) + decided);
}

}  // namespace couplingd
