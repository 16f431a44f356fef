// From what a request names to the plan that is forwarded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "probes/evaluator/model_session.h"
#include "probes/evaluator/questions.h"
#include "probes/evaluator/settings.h"
#include "probes/evaluator/time_budget.h"
#include "probes/scoring/planner.h"

namespace couplingd {

// OpenPacks, MakePlan and KeepWithinTime go in this order: once the session is open, its device is
// chosen, and its model is loaded.
class Preparation {
 public:
  // What it is given outlives it.
  Preparation(const EvaluationSettings& settings, const Clock& clock, ModelSession& session)
      : settings_(settings), clock_(clock), session_(session) {}

  Status OpenPacks();
  // A plan that fits into memory, with the token budget halved until it does. One that was made
  // before for the same packs, tokenizer and settings is taken from the scores' directory
  // (plan_cache.h), without encoding anything.
  Status MakePlan();
  // With a budget of time: keeps as many items as what is left of it allows.
  Status KeepWithinTime();

  const std::vector<Pack>& packs() const { return asked_.packs; }
  const std::vector<std::string>& pack_hashes() const { return pack_hashes_; }
  const std::vector<TaskPlan>& plans() const { return asked_.plans; }  // parallel to the packs
  const ScoringPlan& plan() const { return plan_; }
  const MemoryEstimate& memory() const { return memory_; }
  std::optional<std::int64_t> items() const { return items_; }  // of each pack; absent: all

 private:
  bool IsTimeLimited() const { return settings_.budget && settings_.budget->time; }
  Status PlanWithin(int token_budget);
  bool TakeKept(const std::string& key);
  Status Encode();
  Status CheckVocabulary(const EncodedRequest& request, const Pack& pack) const;
  Status FitIntoMemory();
  Status NoteTruncation() const;
  std::string CacheKey() const;
  void HashPacks();

  const EvaluationSettings& settings_;
  const Clock& clock_;
  ModelSession& session_;
  std::optional<std::int64_t> items_;
  Questions asked_;  // its requests until they are planned, for a budget of time longer
  bool is_encoded_ = false;
  std::vector<std::string> pack_hashes_;
  std::vector<std::int64_t> truncated_;  // of each pack
  Planning planning_;
  ScoringPlan plan_;
  MemoryEstimate memory_;
};

}  // namespace couplingd
