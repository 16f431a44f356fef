#include "queries/queries.h"

#include <fmt/format.h>

#include <algorithm>

#include "queries/alert_answers.h"
#include "queries/audit_answer.h"
#include "queries/comparison_answer.h"
#include "queries/coupling_answers.h"
#include "queries/history_answers.h"
#include "queries/loss_answer.h"
#include "queries/noise_answer.h"
#include "queries/rescore_answer.h"

namespace couplingd {
namespace {

struct Verb {
  std::string_view name;
  Result<std::string> (*answer)(const QueryContext&);
  std::vector<std::string_view> parameters;
};

const std::vector<Verb>& Verbs() {
  static const std::vector<Verb> kVerbs = {
      {"status", AnswerStatus, {}},
      {"runs", AnswerRuns, {"run", "family"}},
      {"checkpoints",
       AnswerCheckpoints,
       {"run", "family", "step", "tokens", "since", "generation", "limit"}},
      {"scores",
       AnswerScores,
       {"run", "family", "task", "metric", "step", "tokens", "since", "generation", "limit"}},
      {"noise",
       AnswerNoise,
       {"run", "family", "task", "metric", "step", "tokens", "since", "generation"}},
      {"rescore", AnswerRescore, {"run", "family", "task", "metrics", "step", "generation"}},
      {"history",
       AnswerHistory,
       {"run", "family", "axes", "step", "tokens", "since", "generation", "recompute"}},
      {"coupling",
       AnswerCoupling,
       {"run", "family", "axes", "over", "step", "tokens", "since", "generation", "recompute"}},
      {"audit", AnswerAudit, {"name", "run", "family", "axes", "generation"}},
      {"compare", AnswerComparison, {"run_a", "run_b", "axes", "task", "at", "tolerance"}},
      {"loss", AnswerLoss, {"run", "family", "axes", "generation"}},
      {"forecast",
       AnswerForecast,
       {"run", "family", "axes", "generation", "recompute", "over", "task", "metric", "at",
        "benchmarks", "panel", "terms"}},
      {"alerts", AnswerAlerts, {"run", "since", "limit", "log", "key"}},
      {"silences", AnswerSilences, {}},
      {"deliveries", AnswerDeliveries, {}},
      {"events", AnswerEvents, {"limit"}},
  };
  return kVerbs;
}

}  // namespace

std::vector<std::string_view> QueryVerbs() {
  std::vector<std::string_view> names;
  for (const Verb& verb : Verbs()) names.push_back(verb.name);
  return names;
}

Result<std::string> Answer(HistoryReader& history, const Config& config, const Clock& clock,
                           std::string_view name, const QueryParameters& parameters) {
  const auto verb =
      std::find_if(Verbs().begin(), Verbs().end(), [&](const Verb& v) { return v.name == name; });
  if (verb == Verbs().end()) {
    return Fail(ErrorKind::kUsage, fmt::format("there is nothing called \"{}\" to ask for", name));
  }
  for (const auto& [parameter, value] : parameters) {
    const auto& known = verb->parameters;
    if (std::find(known.begin(), known.end(), parameter) == known.end()) {
      return Fail(ErrorKind::kUsage, fmt::format("{} takes no parameter \"{}\"", name, parameter),
                  known.empty() ? "" : fmt::format("it takes {}", fmt::join(known, ", ")));
    }
  }
  return verb->answer(QueryContext{history, config, clock, parameters});
}

}  // namespace couplingd
