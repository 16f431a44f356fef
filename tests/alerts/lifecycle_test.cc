#include "alerts/lifecycle.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

const AlertScope kScope = {{"tax", "bad"}, {"run", "family"}, {"a.b,c.d"}};

Finding FindingOf(bool active, const std::string& subject = "a.b,c.d,steps") {
  Finding finding;
  finding.rule = "tax";
  finding.kind = "phase";
  finding.run = "run";
  finding.subject = subject;
  finding.active = active;
  finding.summary = active ? "it holds" : "it no longer holds";
  finding.labels = {{"axes", "a.b,c.d"}, {"phase", "tax"}};
  return finding;
}

// What the store does with transitions: the newest per key.
void Keep(std::vector<Alert>& known, const std::vector<Alert>& transitions) {
  for (const Alert& alert : transitions) {
    std::erase_if(known, [&](const Alert& old) { return old.key == alert.key; });
    known.push_back(alert);
  }
}

TEST(AlertKey, TellsPartsApart) {
  EXPECT_NE(AlertKey("a", "bc", "d"), AlertKey("ab", "c", "d"));
  EXPECT_EQ(AlertKey("a", "b", "c"), AlertKey("a", "b", "c"));
}

TEST(AlertTransitions, FiresOnceAndResolvesOnceWithTheReason) {
  std::vector<Alert> known;
  auto fired = AlertTransitions(known, {FindingOf(true)}, kScope, 100);
  ASSERT_EQ(fired.size(), 1u);
  EXPECT_EQ(fired[0].state, AlertState::kFiring);
  EXPECT_EQ(fired[0].sequence, 1);
  EXPECT_EQ(fired[0].starts_at, 100);
  EXPECT_EQ(fired[0].ends_at, 0);
  Keep(known, fired);
  EXPECT_TRUE(AlertTransitions(known, {FindingOf(true)}, kScope, 200).empty());
  EXPECT_TRUE(AlertTransitions(known, {}, kScope, 250).empty());

  auto resolved = AlertTransitions(known, {FindingOf(false)}, kScope, 300);
  ASSERT_EQ(resolved.size(), 1u);
  EXPECT_EQ(resolved[0].state, AlertState::kResolved);
  EXPECT_EQ(resolved[0].sequence, 2);
  EXPECT_EQ(resolved[0].starts_at, 100);
  EXPECT_EQ(resolved[0].ends_at, 300);
  EXPECT_EQ(resolved[0].resolution, "it no longer holds");
  EXPECT_EQ(resolved[0].finding.summary, "it holds");
  EXPECT_FALSE(resolved[0].finding.active);
  Keep(known, resolved);
  EXPECT_TRUE(AlertTransitions(known, {FindingOf(false)}, kScope, 400).empty());

  auto again = AlertTransitions(known, {FindingOf(true)}, kScope, 500);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].sequence, 3);
  EXPECT_EQ(again[0].starts_at, 500);
  EXPECT_TRUE(again[0].resolution.empty());
}

TEST(AlertTransitions, ResolvesWhatIsNoLongerConfigured) {
  std::vector<Alert> known;
  Keep(known, AlertTransitions(known, {FindingOf(true)}, kScope, 100));
  const std::pair<AlertScope, std::string> cases[] = {
      {{{"bad"}, kScope.runs, kScope.axes}, "rule removed"},
      {{kScope.rules, {"family"}, kScope.axes}, "run removed"},
      {{kScope.rules, kScope.runs, {}}, "axes removed"}};
  for (const auto& [scope, reason] : cases) {
    const auto transitions = AlertTransitions(known, {}, scope, 200);
    ASSERT_EQ(transitions.size(), 1u) << reason;
    EXPECT_TRUE(transitions[0].resolution.starts_with(reason)) << transitions[0].resolution;
    EXPECT_TRUE(AlertTransitions({}, {FindingOf(true)}, scope, 200).empty());
  }
}

TEST(AlertTransitions, ResolvesWhereTheRuleWatchesForSomethingElseNow) {
  std::vector<Alert> known;
  Keep(known, AlertTransitions(known, {FindingOf(true)}, kScope, 100));
  Finding bonus = FindingOf(true);
  bonus.labels["phase"] = "bonus";
  const auto transitions = AlertTransitions(known, {bonus}, kScope, 200);
  ASSERT_EQ(transitions.size(), 1u);
  EXPECT_EQ(transitions[0].state, AlertState::kResolved);
  Keep(known, transitions);
  EXPECT_EQ(AlertTransitions(known, {bonus}, kScope, 300)[0].state, AlertState::kFiring);
}

TEST(AlertTransitions, TakesTheActiveOneOfTwoFindingsWithOneKey) {
  EXPECT_EQ(
      AlertTransitions({}, {FindingOf(false), FindingOf(true), FindingOf(false)}, kScope, 1).size(),
      1u);
}

TEST(AlertTransitions, IsPendingUntilTheRuleHasHeldForLongEnough) {
  AlertScope scope = kScope;
  scope.hold_for["tax"] = std::chrono::milliseconds(100);
  std::vector<Alert> known;
  const auto step = [&](const std::vector<Finding>& findings, UnixMillis now) {
    const auto transitions = AlertTransitions(known, findings, scope, now);
    Keep(known, transitions);
    return transitions;
  };
  const auto pending = step({FindingOf(true)}, 1000);
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].state, AlertState::kPending);
  EXPECT_TRUE(step({FindingOf(true)}, 1099).empty());
  EXPECT_TRUE(step({}, 1200).empty());  // unknown changes nothing
  const auto fired = step({FindingOf(true)}, 1200);
  ASSERT_EQ(fired.size(), 1u);
  EXPECT_EQ(fired[0].state, AlertState::kFiring);
  EXPECT_EQ(fired[0].sequence, 2);
  EXPECT_EQ(fired[0].starts_at, 1200);
  EXPECT_EQ(step({FindingOf(false)}, 1300)[0].state, AlertState::kResolved);

  EXPECT_EQ(step({FindingOf(true)}, 1400)[0].state, AlertState::kPending);
  const auto ended = step({FindingOf(false)}, 1450);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].state, AlertState::kResolved);
  EXPECT_EQ(ended[0].resolution, "It ended before it fired. it no longer holds");
  EXPECT_EQ(step({FindingOf(true)}, 1600)[0].state, AlertState::kPending);
}

TEST(AlertTransitions, LeavesTestAlertsAlone) {
  Alert test;
  test.key = AlertKey("tax", "run", "a.b,c.d,steps");
  test.is_test = true;
  test.sequence = 1;
  EXPECT_TRUE(AlertTransitions({test}, {}, {}, 1).empty());
}

// Every sequence of six evaluations of two subjects, against the rules of the game: firing and
// resolved alternate, the sequence has no holes, unknown changes nothing.
TEST(AlertTransitions, AlternateInEverySequenceOfFindings) {
  constexpr int kSteps = 6;
  int sequences = 1;
  for (int i = 0; i < kSteps; ++i) sequences *= 3;
  for (int sequence = 0; sequence < sequences; ++sequence) {
    std::vector<Alert> known;
    bool firing = false;
    std::int64_t count = 0;
    for (int step = 0, rest = sequence; step < kSteps; ++step, rest /= 3) {
      std::vector<Finding> findings;
      if (rest % 3 != 0) findings.push_back(FindingOf(rest % 3 == 1));
      const auto transitions = AlertTransitions(known, findings, kScope, step);
      const bool changes = !findings.empty() && findings[0].active != firing;
      ASSERT_EQ(transitions.size(), changes ? 1u : 0u) << sequence << " at " << step;
      if (!changes) continue;
      firing = !firing;
      EXPECT_EQ(transitions[0].state == AlertState::kFiring, firing);
      EXPECT_EQ(transitions[0].sequence, ++count);
      Keep(known, transitions);
    }
  }
}

TEST(ScopeOf, HoldsRulesRunsFamiliesAndAxes) {
  Config config;
  config.rules = {{.name = "tax", .kind = "phase"}};
  config.runs.resize(2);
  config.runs[0].name = "pythia-1b";
  config.runs[0].family = "pythia";
  config.runs[1].name = "alone";
  config.axes = {{"default", {"hellaswag", "acc_norm"}, {"truthfulqa_mc2", "acc"}}};
  const AlertScope scope = ScopeOf(config);
  EXPECT_EQ(scope.rules, std::set<std::string>{"tax"});
  EXPECT_EQ(scope.runs, (std::set<std::string>{"alone", "pythia", "pythia-1b"}));
  EXPECT_EQ(scope.axes, std::set<std::string>{"hellaswag.acc_norm,truthfulqa_mc2.acc"});
}

}  // namespace
}  // namespace couplingd
