#include <fmt/format.h>

#include <set>

#include "tests/history/fixture.h"

namespace couplingd {
namespace {

class Outbox : public HistoryTest {
 protected:
  void SetUp() override { writer_ = OpenWriter(); }

  void Save(const std::string& key, std::int64_t sequence, AlertState state,
            const std::vector<std::string>& sinks) {
    clock_.Advance(std::chrono::milliseconds(1));
    Must(writer_->Transaction([&]() -> Status {
      TRY(writer_->SaveAlert(ExampleAlert(key, sequence, state)));
      for (const std::string& sink : std::set(sinks.begin(), sinks.end())) {
        Delivery delivery;
        delivery.sink = sink;
        delivery.alert_key = key;
        delivery.sequence = sequence;
        delivery.next_attempt_at = clock_.Now();
        TRY(writer_->AddDelivery(delivery));
      }
      return {};
    }));
  }
  // "sink key sequence" of every delivery in the state.
  std::set<std::string> In(const std::string& state) {
    std::set<std::string> texts;
    for (const Delivery& d : Must(writer_->reader().Deliveries(state))) {
      texts.insert(fmt::format("{} {} {}", d.sink, d.alert_key, d.sequence));
    }
    return texts;
  }
  Delivery Find(const std::string& sink, const std::string& key, std::int64_t sequence) {
    for (const Delivery& d : Must(writer_->reader().Deliveries(""))) {
      if (d.sink == sink && d.alert_key == key && d.sequence == sequence) return d;
    }
    ADD_FAILURE() << "no delivery " << sink << key << sequence;
    return {};
  }

  std::unique_ptr<HistoryWriter> writer_;
};

using Texts = std::set<std::string>;

TEST_F(Outbox, GetsOneDeliveryPerSinkWithTheTransition) {
  Save("k", 1, AlertState::kFiring, {"slack", "webhook", "slack"});
  EXPECT_EQ(In("pending"), (Texts{"slack k 1", "webhook k 1"}));
  const Delivery delivery = Find("slack", "k", 1);
  EXPECT_EQ(delivery.attempts, 0);
  EXPECT_EQ(delivery.next_attempt_at, kStart + 1);
  EXPECT_EQ(delivery.updated_at, kStart + 1);
  EXPECT_EQ(delivery.delivery_id.size(), 32u);
  EXPECT_NE(delivery.delivery_id, Find("webhook", "k", 1).delivery_id);
  EXPECT_EQ(Describe(*Must(OpenReader()->FindAlert("k", 1))),
            Describe(ExampleAlert("k", 1, AlertState::kFiring)));
}

TEST_F(Outbox, KeepsOnlyTheNewestStateOfAnAlertThatASinkHasNotSeen) {
  Save("k", 1, AlertState::kFiring, {"slack", "webhook"});
  Save("other", 1, AlertState::kFiring, {"slack"});
  Delivery seen = Find("webhook", "k", 1);
  seen.state = "delivered";
  seen.attempts = 1;
  seen.last_outcome = "200 ok";
  Must(writer_->SaveDelivery(seen));
  Save("k", 2, AlertState::kResolved, {"slack", "webhook"});
  EXPECT_EQ(In("pending"), (Texts{"slack k 2", "webhook k 2", "slack other 1"}));
  EXPECT_EQ(In("superseded"), (Texts{"slack k 1"}));
  EXPECT_EQ(In("delivered"), (Texts{"webhook k 1"}));
  EXPECT_EQ(Find("slack", "k", 1).last_outcome, "superseded by transition 2");
}

TEST_F(Outbox, LeavesWhatAFailedAttemptWasSentForSuperseded) {
  Save("k", 1, AlertState::kFiring, {"slack", "webhook"});
  Delivery failed = Find("slack", "k", 1), late = Find("webhook", "k", 1);
  Save("k", 2, AlertState::kResolved, {"slack", "webhook"});
  failed.attempts = 1;
  failed.last_outcome = "timeout";
  Must(writer_->SaveDelivery(failed));
  late.state = "delivered";
  Must(writer_->SaveDelivery(late));
  EXPECT_EQ(Find("slack", "k", 1).state, "superseded");
  EXPECT_EQ(Find("slack", "k", 1).attempts, 1);
  EXPECT_EQ(Find("webhook", "k", 1).state, "delivered");
  EXPECT_EQ(In("pending"), (Texts{"slack k 2", "webhook k 2"}));
}

TEST_F(Outbox, HasBackWhatAWithdrawnDeliverySuperseded) {
  Save("k", 1, AlertState::kFiring, {"slack"});
  Save("k", 2, AlertState::kResolved, {"slack"});
  Save("k", 3, AlertState::kFiring, {"slack"});
  Must(writer_->WithdrawDelivery(Find("slack", "k", 3).id));
  EXPECT_EQ(In("pending"), Texts{"slack k 2"});
  EXPECT_EQ(In("superseded"), Texts{"slack k 1"});
}

TEST_F(Outbox, TakesAFiringThatMayHaveArrivedForKnownAndAnEndOnlyOnceItWasAcknowledged) {
  const auto begin = [&](std::int64_t sequence, const std::string& state) {
    Delivery delivery = Find("slack", "k", sequence);
    delivery.message = "m";
    delivery.state = state;
    Must(writer_->SaveDelivery(delivery));
  };
  Save("k", 1, AlertState::kFiring, {"slack"});
  EXPECT_EQ(Must(writer_->reader().SinkLedgers()).at(0).known_sequence, 0);
  begin(1, "pending");
  Save("k", 2, AlertState::kResolved, {"slack"});
  begin(2, "pending");
  SinkLedger ledger = Must(writer_->reader().SinkLedgers()).at(0);
  EXPECT_EQ(ledger.known_sequence, 1);
  EXPECT_EQ(ledger.known_state, AlertState::kFiring);
  EXPECT_FALSE(ledger.newest_fires);
  begin(2, "delivered");
  ledger = Must(writer_->reader().SinkLedgers()).at(0);
  EXPECT_EQ(ledger.known_sequence, 2);
  EXPECT_EQ(ledger.known_state, AlertState::kResolved);
}

TEST_F(Outbox, KnowsSinceWhenNewsWaitsHoweverOftenTheAlertChanged) {
  const auto send = [&](std::int64_t sequence, AlertState state) {
    Save("k", sequence, state, {"slack"});
    NotificationDecision decision;
    decision.at = clock_.Now();
    decision.alert_key = "k";
    decision.sequence = sequence;
    decision.sink = "slack";
    decision.is_sent = true;
    decision.reason = fmt::format("because {}", sequence);
    Must(writer_->SaveDecision(decision));
  };
  const auto waits_since = [&] { return Must(writer_->reader().SinkLedgers()).at(0).waits_since; };
  send(1, AlertState::kFiring);
  send(2, AlertState::kResolved);
  send(3, AlertState::kFiring);
  EXPECT_EQ(waits_since(), kStart + 1);
  Delivery delivery = Find("slack", "k", 3);
  delivery.state = "delivered";
  Must(writer_->SaveDelivery(delivery));
  EXPECT_EQ(waits_since(), 0);
  send(4, AlertState::kResolved);
  EXPECT_EQ(waits_since(), kStart + 4);
}

TEST_F(Outbox, ReturnsDeliveriesInTheOrderInWhichTheyAreDue) {
  Save("a", 1, AlertState::kFiring, {"slack"});
  Save("b", 1, AlertState::kFiring, {"slack"});
  Delivery first = Find("slack", "a", 1);
  first.next_attempt_at = kStart + 1000;
  first.updated_at = kStart + 9;
  Must(writer_->SaveDelivery(first));
  const auto due = Must(OpenReader()->Deliveries("pending"));
  ASSERT_EQ(due.size(), 2u);
  EXPECT_EQ(due[0].alert_key, "b");
  EXPECT_EQ(due[1].next_attempt_at, kStart + 1000);
  EXPECT_EQ(due[1].updated_at, kStart + 9);
}

TEST_F(Outbox, RefusesASequenceThatDoesNotRiseAndStoresNothingOfIt) {
  Save("k", 2, AlertState::kFiring, {"slack"});
  for (const std::int64_t sequence : {1, 2}) {
    const Status status = writer_->SaveAlert(ExampleAlert("k", sequence, AlertState::kResolved));
    EXPECT_EQ(status.error().kind, ErrorKind::kConflict) << ErrorText(status);
  }
  EXPECT_EQ(In(""), (Texts{"slack k 2"}));
  EXPECT_EQ(Must(writer_->reader().AlertLog({})).size(), 1u);
}

TEST_F(Outbox, RefusesAStateThatIsNone) {
  Save("k", 1, AlertState::kFiring, {"slack"});
  Delivery delivery = Find("slack", "k", 1);
  delivery.state = "lost";
  EXPECT_EQ(writer_->SaveDelivery(delivery).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(In("pending"), (Texts{"slack k 1"}));
}

TEST_F(Outbox, ListsAlertsFiringFirstThenNewest) {
  Run run = ExampleRun("pythia-70m");
  Must(writer_->SaveRun(run));
  Save("a", 1, AlertState::kFiring, {});
  Save("b", 1, AlertState::kFiring, {});
  Save("a", 2, AlertState::kResolved, {});
  Save("c", 1, AlertState::kFiring, {});
  const auto keys = [&](const HistoryFilter& filter) {
    std::string text;
    for (const Alert& alert : Must(writer_->reader().Alerts(filter))) {
      text += fmt::format("{}{} ", alert.key, alert.sequence);
    }
    return text;
  };
  EXPECT_EQ(keys({}), "c1 b1 a2 ");
  EXPECT_EQ(keys({.until = kStart + 2}), "b1 a1 ");
  EXPECT_EQ(keys({.since = kStart + 3, .limit = 1}), "c1 ");
  EXPECT_EQ(keys({.family = "pythia", .task = "hellaswag"}), "c1 b1 a2 ");
  EXPECT_EQ(keys({.family = "other"}), "");
  EXPECT_EQ(keys({.run = "other"}), "");
  EXPECT_EQ(keys({.task = "piqa"}), "");
  std::string log;
  for (const Alert& alert : Must(writer_->reader().AlertLog({.run = "pythia-70m", .limit = 3}))) {
    log += fmt::format("{}{} ", alert.key, alert.sequence);
  }
  EXPECT_EQ(log, "a1 b1 a2 ");
  EXPECT_FALSE(Must(writer_->reader().FindAlert("a", 3)));
}

}  // namespace
}  // namespace couplingd
