// What the tests of rules share.
#pragma once

#include <string>
#include <vector>

#include "alerts/rules.h"

namespace couplingd {

inline constexpr char kAxes[] = "hellaswag.acc_norm,truthfulqa_mc2.acc";
inline constexpr UnixMillis kNow = 1795442700000;

inline WatchedRun RunNamed(const std::string& name, const std::string& family) {
  WatchedRun run;
  run.name = name;
  run.family = family;
  return run;
}

inline RuleInputs Inputs() {
  RuleInputs inputs;
  inputs.now = kNow;
  inputs.runs = {RunNamed("pythia-1b", "pythia")};
  inputs.axes = {{"default", {"hellaswag", "acc_norm"}, {"truthfulqa_mc2", "acc"}}};
  return inputs;
}

inline std::vector<Finding> Evaluate(const RuleConfig& rule, const RuleInputs& inputs) {
  return EvaluateRules({rule}, inputs);
}

}  // namespace couplingd
