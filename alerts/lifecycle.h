// From findings to transitions of alerts: pure. An alert has one key for all its life; each
// transition (pending, firing, resolved) raises its sequence by one. Where the rule asks that it
// holds for some time, the alert is pending until then, and nobody is told. Nothing resolves by
// time alone: it takes an inactive finding, or the removal of what the alert is about from the
// configuration.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "records/alert.h"

namespace couplingd {

// What is configured now; an open alert about anything else is over.
struct AlertScope {
  std::set<std::string> rules;                                     // names
  std::set<std::string> runs;                                      // names of runs and of families
  std::set<std::string> axes;                                      // AxesText of each pair
  std::map<std::string, std::chrono::milliseconds> hold_for = {};  // by rule; absent: 0
  // By rule, where it has such a list: RuleConfig::runs and RuleSubjects.
  std::map<std::string, std::set<std::string>> rule_runs = {}, rule_subjects = {};
};
AlertScope ScopeOf(const Config& config);

// Hash of rule, run and subject; never of times, hosts or scores.
std::string AlertKey(const std::string& rule, const std::string& run, const std::string& subject);

// The transitions that follow, in the order of the findings and then of `known`; what does not
// change is not among them. `known` holds the newest transition of every key
// (HistoryReader::Alerts). Test alerts among them are left alone.
std::vector<Alert> AlertTransitions(const std::vector<Alert>& known,
                                    const std::vector<Finding>& findings, const AlertScope& scope,
                                    UnixMillis now);

}  // namespace couplingd
