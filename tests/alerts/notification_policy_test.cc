#include "alerts/notification_policy.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

using namespace std::chrono_literals;

constexpr UnixMillis kNow = 1795442700000;

Alert AlertOf(AlertState state, std::int64_t sequence, const std::string& run = "run") {
  Alert alert;
  alert.key = run;
  alert.sequence = sequence;
  alert.state = state;
  alert.starts_at = kNow - 60000;
  if (state == AlertState::kResolved) alert.ends_at = kNow - 1000;
  alert.finding.rule = "tax";
  alert.finding.kind = "phase";
  alert.finding.run = run;
  alert.finding.labels = {{"run", run}, {"severity", "warning"}};
  return alert;
}

class NotificationPolicy : public ::testing::Test {
 protected:
  void SetUp() override {
    config_.sinks.resize(1);
    config_.sinks[0].name = "ops";
  }
  // "sink: sent|held|withdrawn reason" of every step.
  std::vector<std::string> Decide(UnixMillis now = kNow) {
    std::vector<std::string> texts;
    for (const NotificationStep& step : DecideNotifications(state_, config_, now)) {
      const char* what = step.add ? "sent" : step.withdraw ? "withdrawn" : "held";
      texts.push_back(step.decision.sink + ": " + what + " " + step.decision.reason);
      EXPECT_EQ(step.decision.is_sent, step.add.has_value());
    }
    return texts;
  }
  SinkLedger& Told(std::int64_t sequence, const std::string& state, bool attempted,
                   const std::string& sink = "ops") {
    SinkLedger ledger;
    ledger.sink = sink;
    ledger.alert_key = "run";
    ledger.newest_sequence = sequence;
    ledger.newest_id = 7;
    ledger.newest_state = state;
    ledger.newest_fires = sequence % 2 == 1;
    ledger.newest_attempted = attempted;
    ledger.newest_updated_at = kNow - 50000;
    if (state == "pending") ledger.waits_since = kNow - 50000;
    if (state == "delivered" || (attempted && ledger.newest_fires)) {
      ledger.known_sequence = sequence;
      ledger.known_state = sequence % 2 == 1 ? AlertState::kFiring : AlertState::kResolved;
    }
    state_.ledgers.push_back(ledger);
    return state_.ledgers.back();
  }
  void AddSilence(const std::string& matcher, std::optional<std::int64_t> until_step = {}) {
    Silence silence;
    silence.id = 3;
    silence.matchers = {matcher};
    silence.author = "ana";
    silence.reason = "known";
    silence.starts_at = kNow - 1000;
    silence.ends_at = kNow + 1000;
    silence.until_step = until_step;
    state_.silences.push_back(silence);
  }

  NotificationState state_;
  Config config_;
};

using Texts = std::vector<std::string>;

TEST_F(NotificationPolicy, TellsASinkOfWhatFiresOnce) {
  state_.alerts = {AlertOf(AlertState::kFiring, 1)};
  EXPECT_EQ(Decide(), Texts{"ops: sent fired"});
  Told(1, "pending", false);
  EXPECT_EQ(Decide(), Texts{});
}

TEST_F(NotificationPolicy, TellsNobodyOfWhatIsPending) {
  state_.alerts = {AlertOf(AlertState::kPending, 1)};
  EXPECT_EQ(Decide(), Texts{});
}

TEST_F(NotificationPolicy, LetsOthersOfTheGroupJoinButForACriticalOne) {
  state_.alerts = {AlertOf(AlertState::kFiring, 1)};
  state_.alerts[0].starts_at = kNow;
  EXPECT_EQ(DecideNotifications(state_, config_, kNow)[0].add->next_attempt_at, kNow + 10000);
  state_.alerts[0].finding.severity = Severity::kCritical;
  EXPECT_EQ(DecideNotifications(state_, config_, kNow)[0].add->next_attempt_at, kNow);
}

TEST_F(NotificationPolicy, HoldsBackWhatIsSilencedAndSendsItWhenTheSilenceEnds) {
  state_.alerts = {AlertOf(AlertState::kFiring, 1)};
  AddSilence("run=run");
  EXPECT_EQ(Decide(), Texts{"ops: held silenced"});
  EXPECT_NE(DecideNotifications(state_, config_, kNow)[0].decision.detail.find("silence 3 of ana"),
            std::string::npos);
  EXPECT_EQ(Decide(kNow + 1000), Texts{"ops: sent fired"});
  state_.silences[0].ended_by = "bob";
  EXPECT_EQ(Decide(), Texts{"ops: sent fired"});
  state_.silences.clear();
  AddSilence("run=other");
  EXPECT_EQ(Decide(), Texts{"ops: sent fired"});
}

TEST_F(NotificationPolicy, EndsASilenceAtItsStep) {
  state_.alerts = {AlertOf(AlertState::kFiring, 1)};
  AddSilence("run=run", 5000);
  state_.latest_step["run"] = 4999;
  EXPECT_EQ(Decide(), Texts{"ops: held silenced"});
  state_.latest_step["run"] = 5000;
  EXPECT_EQ(Decide(), Texts{"ops: sent fired"});
}

TEST_F(NotificationPolicy, WithdrawsWhatWasNotBegunWhenItIsSilenced) {
  state_.alerts = {AlertOf(AlertState::kFiring, 1)};
  AddSilence("kind=phase");
  Told(1, "pending", false);
  EXPECT_EQ(Decide(), Texts{"ops: withdrawn silenced"});
  state_.ledgers[0].newest_attempted = true;
  EXPECT_EQ(Decide(), Texts{});
}

TEST_F(NotificationPolicy, TellsTheEndToWhoeverMayKnowOfTheFiring) {
  state_.alerts = {AlertOf(AlertState::kResolved, 2)};
  AddSilence("run=run");
  for (const char* state : {"delivered", "pending", "dead", "superseded"}) {
    state_.ledgers.clear();
    Told(1, state, true);
    EXPECT_EQ(Decide(), Texts{"ops: sent resolved"}) << state;
  }
  state_.ledgers.clear();
  EXPECT_EQ(Decide(), Texts{"ops: held never told"});
  Told(1, "pending", false);
  EXPECT_EQ(Decide(), Texts{"ops: withdrawn silenced"});
  state_.silences.clear();
  EXPECT_EQ(Decide(), Texts{"ops: sent fired and resolved"});
  state_.ledgers[0].newest_sequence = 2;
  EXPECT_EQ(Decide(), Texts{});
}

TEST_F(NotificationPolicy, TellsTheEndAlsoWhereALaterFiringWasHeldBack) {
  state_.alerts = {AlertOf(AlertState::kResolved, 4)};
  Told(1, "delivered", true);
  EXPECT_EQ(Decide(), Texts{"ops: sent resolved"});
}

TEST_F(NotificationPolicy, HoldsBackWhatIsInhibitedByAnotherOfTheSameRun) {
  config_.inhibitions.resize(1);
  config_.inhibitions[0].source.push_back(*Matcher::Parse("kind=bad_checkpoint"));
  config_.inhibitions[0].target.push_back(*Matcher::Parse("kind=~phase|bad_checkpoint"));
  config_.inhibitions[0].equal = {"run"};
  Alert bad = AlertOf(AlertState::kFiring, 1);
  bad.key = "bad";
  bad.finding.rule = bad.finding.kind = "bad_checkpoint";
  state_.alerts = {AlertOf(AlertState::kFiring, 1), bad};
  EXPECT_EQ(Decide(), (Texts{"ops: held inhibited", "ops: sent fired"}));
  state_.alerts[1].finding.labels["run"] = "another";
  EXPECT_EQ(Decide(), (Texts{"ops: sent fired", "ops: sent fired"}));
  state_.alerts[0].finding.labels.erase("run");
  state_.alerts[1].finding.labels.erase("run");
  EXPECT_EQ(Decide(), (Texts{"ops: sent fired", "ops: sent fired"}));  // both lack it
  state_.alerts[0].finding.labels["run"] = state_.alerts[1].finding.labels["run"] = "run";
  state_.alerts[1].state = AlertState::kPending;
  EXPECT_EQ(Decide(), Texts{"ops: sent fired"});
  state_.alerts[1].state = AlertState::kFiring;
  config_.notify.inhibit = false;
  EXPECT_EQ(Decide(), (Texts{"ops: sent fired", "ops: sent fired"}));
}

TEST_F(NotificationPolicy, RepeatsWhatStillFiresUnlessSomebodyLooksAfterIt) {
  state_.alerts = {AlertOf(AlertState::kFiring, 1)};
  Told(1, "delivered", true).newest_repeat = 2;
  EXPECT_EQ(Decide(), Texts{});
  const UnixMillis later = kNow - 50000 + 24 * 3600000;
  EXPECT_EQ(Decide(later - 1), Texts{});
  EXPECT_EQ(Decide(later), Texts{"ops: sent still firing"});
  EXPECT_EQ(DecideNotifications(state_, config_, later)[0].add->repeat, 3);
  state_.acknowledgements = {{"run", 1, "ana", "on it", kNow}};
  EXPECT_EQ(Decide(later), Texts{});
  state_.acknowledgements[0].sequence = 3;
  EXPECT_EQ(Decide(later), Texts{"ops: sent still firing"});
  config_.notify.repeat_interval = 0s;
  EXPECT_EQ(Decide(later), Texts{});
}

TEST_F(NotificationPolicy, SendsToASinkOnlyWhatItAskedFor) {
  state_.alerts = {AlertOf(AlertState::kFiring, 1)};
  config_.sinks[0].match.push_back(*Matcher::Parse("severity=critical"));
  EXPECT_EQ(Decide(), Texts{"ops: held not matched"});
  state_.alerts[0].finding.severity = Severity::kCritical;
  state_.alerts[0].finding.labels["severity"] = "critical";
  EXPECT_EQ(Decide(), Texts{"ops: sent fired"});
}

TEST_F(NotificationPolicy, TellsTheFallbackWhatASinkCouldNotBeTold) {
  state_.alerts = {AlertOf(AlertState::kFiring, 1)};
  config_.sinks.resize(2);
  config_.sinks[0].fallback = "pager";
  config_.sinks[1].name = "pager";
  config_.sinks[1].standby = true;
  EXPECT_EQ(Decide(), (Texts{"ops: sent fired", "pager: held standby"}));
  Told(1, "pending", true);
  EXPECT_EQ(Decide(), Texts{"pager: held standby"});
  const UnixMillis late = state_.ledgers[0].waits_since + 15 * 60000;
  EXPECT_EQ(Decide(late - 1), Texts{"pager: held standby"});
  EXPECT_EQ(Decide(late), Texts{"pager: sent fallback"});
  state_.ledgers[0].waits_since = kNow - 15 * 60000;  // older news that did not arrive either
  EXPECT_EQ(Decide(), Texts{"pager: sent fallback"});
  state_.alerts[0].sequence = 3;  // it ended and fires again
  EXPECT_EQ(Decide(), (Texts{"ops: sent fired", "pager: sent fallback"}));
  state_.alerts[0].sequence = 1;
  state_.ledgers[0].newest_state = "dead";
  EXPECT_EQ(Decide(), Texts{"pager: sent fallback"});
  state_.ledgers[0].newest_repeat = 1;  // the sink was told before
  EXPECT_EQ(Decide(), Texts{"pager: held standby"});
  state_.ledgers[0].newest_repeat = 0;
  Told(1, "delivered", true, "pager");
  EXPECT_EQ(Decide(), Texts{});
  state_.alerts = {AlertOf(AlertState::kResolved, 2)};
  EXPECT_EQ(Decide(), (Texts{"ops: sent resolved", "pager: sent resolved"}));
}

}  // namespace
}  // namespace couplingd
