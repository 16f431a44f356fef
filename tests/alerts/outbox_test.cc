#include "alerts/outbox.h"

#include <gtest/gtest.h>

#include <set>

namespace couplingd {
namespace {

using namespace std::chrono_literals;

TEST(RetryDelay, FollowsItsScheduleWithinTwentyPercent) {
  const std::chrono::milliseconds expected[] = {5s, 30s, 2min, 5min, 15min, 30min, 1h, 1h, 1h};
  for (int attempt = 1; attempt <= 9; ++attempt) {
    for (const char* id : {"a", "b", "c", "d"}) {
      const auto delay = RetryDelay(attempt, id).value();
      EXPECT_GE(delay, expected[attempt - 1] * 8 / 10) << attempt;
      EXPECT_LE(delay, expected[attempt - 1] * 12 / 10) << attempt;
    }
  }
}

TEST(RetryDelay, IsTheSameForTheSameAttemptAndSpreadOverDeliveries) {
  EXPECT_EQ(RetryDelay(3, "a"), RetryDelay(3, "a"));
  std::set<std::chrono::milliseconds> delays;
  for (int i = 0; i < 100; ++i) delays.insert(RetryDelay(7, std::to_string(i)).value());
  EXPECT_GT(delays.size(), 90u);
  EXPECT_LT(*delays.begin(), 52min);
  EXPECT_GT(*delays.rbegin(), 68min);
}

TEST(RetryDelay, EndsAfterSeventyFiveHours) {
  std::chrono::milliseconds waited{0};
  int attempts = 1;
  for (; RetryDelay(attempts, "id"); ++attempts) waited += *RetryDelay(attempts, "id");
  EXPECT_EQ(attempts, 81);
  EXPECT_GT(waited, 70h);
  EXPECT_LT(waited, 80h);
}

Delivery Row(std::int64_t id, const std::string& sink, const std::string& key,
             std::int64_t sequence, UnixMillis due) {
  Delivery delivery;
  delivery.id = id;
  delivery.delivery_id = std::to_string(id);
  delivery.sink = sink;
  delivery.alert_key = key;
  delivery.sequence = sequence;
  delivery.next_attempt_at = due;
  delivery.state = "pending";
  return delivery;
}

std::vector<std::int64_t> Ids(const Pick& pick) {
  std::vector<std::int64_t> ids;
  for (const Delivery& delivery : pick.due) ids.push_back(delivery.id);
  return ids;
}

using List = std::vector<std::int64_t>;

TEST(PickMessage, TakesTheOldestDueOfTheSink) {
  const std::vector<Delivery> pending = {Row(1, "other", "k", 1, 0), Row(2, "sink", "a", 1, 500),
                                         Row(3, "sink", "b", 1, 400), Row(4, "sink", "c", 1, 2000)};
  EXPECT_EQ(Ids(PickMessage(pending, {"sink"}, 1000)), List{3});
  EXPECT_TRUE(PickMessage(pending, {"nobody"}, 1000).due.empty());
  EXPECT_EQ(PickMessage(pending, {"nobody"}, 1000).next_at, std::nullopt);
}

TEST(PickMessage, NeverOvertakesAnEarlierTransitionOfTheSameAlert) {
  const std::vector<Delivery> pending = {Row(2, "sink", "a", 2, 0), Row(1, "sink", "a", 1, 9000)};
  const Pick waiting = PickMessage(pending, {"sink"}, 1000);
  EXPECT_TRUE(waiting.due.empty());
  EXPECT_EQ(waiting.next_at, 9000);
  EXPECT_EQ(Ids(PickMessage(pending, {"sink"}, 9000)), List{1});
  EXPECT_EQ(Ids(PickMessage(pending, {.sink = "sink", .hurry = true}, 1000)), List{1});
}

// Rows of the group, of alerts of their own.
std::vector<Delivery> Waiting(int count, const std::string& group, UnixMillis due,
                              std::int64_t first_id = 1) {
  std::vector<Delivery> rows;
  for (int i = 0; i < count; ++i) {
    Delivery row = Row(first_id + i, "sink", group + std::to_string(i), 1, due);
    row.group = group;
    rows.push_back(row);
  }
  return rows;
}

TEST(PickMessage, JoinsWhatWaitsOfTheSameGroupUpToTheMostThatTheSinkTakes) {
  std::vector<Delivery> pending = Waiting(3, "g", 1000);
  pending[2].next_attempt_at = 5000;  // not due yet, but it may join
  pending.push_back(Row(9, "sink", "alone", 1, 1000));
  EXPECT_EQ(Ids(PickMessage(pending, {.sink = "sink", .most_alerts = 20}, 1000)), (List{1, 2, 3}));
  EXPECT_EQ(Ids(PickMessage(pending, {.sink = "sink", .most_alerts = 2}, 1000)), (List{1, 2}));
  EXPECT_EQ(Ids(PickMessage(pending, {.sink = "sink"}, 1000)), List{1});
}

TEST(PickMessage, SendsAMessageThatWasBegunWithWhatIsLeftOfItAndNothingMore) {
  std::vector<Delivery> pending = Waiting(4, "g", 1000);
  pending[1].message = pending[3].message = "2";
  pending[1].next_attempt_at = pending[3].next_attempt_at = 500;
  const Pick pick = PickMessage(pending, {.sink = "sink", .most_alerts = 20}, 1000);
  EXPECT_EQ(Ids(pick), (List{2, 4}));
  EXPECT_FALSE(pick.is_digest);
  pending.erase(pending.begin() + 1);
  EXPECT_EQ(Ids(PickMessage(pending, {.sink = "sink", .most_alerts = 20}, 1000)), List{4});
}

TEST(PickMessage, SendsCriticalOnesFirst) {
  std::vector<Delivery> pending = Waiting(3, "g", 500);
  Delivery critical = Row(9, "sink", "fire", 1, 900);
  critical.severity = Severity::kCritical;
  pending.push_back(critical);
  EXPECT_EQ(Ids(PickMessage(pending, {"sink"}, 1000)), List{9});
}

TEST(PickMessage, MakesOneDigestOfAStormButForCriticalOnes) {
  std::vector<Delivery> pending;
  for (int group = 0; group < 12; ++group) {
    for (Delivery& row : Waiting(10, "g" + std::to_string(group), 100 + group, group * 10 + 1)) {
      pending.push_back(row);
    }
  }
  Delivery critical = Row(900, "sink", "fire", 1, 999);
  critical.severity = Severity::kCritical;
  pending.push_back(critical);
  const PickRules rules = {.sink = "sink", .most_alerts = 5, .storm = 100};
  EXPECT_EQ(Ids(PickMessage(pending, rules, 1000)), List{900});
  pending.pop_back();
  Pick digest = PickMessage(pending, rules, 1000);
  EXPECT_TRUE(digest.is_digest);
  EXPECT_EQ(digest.due.size(), 120u);
  EXPECT_EQ(MessageId(digest), "digest-" + digest.due.front().delivery_id);
  for (Delivery& row : pending) row.message = MessageId(digest);
  EXPECT_TRUE(PickMessage(pending, rules, 1000).is_digest);
  pending.resize(100);
  for (Delivery& row : pending) row.message.clear();
  EXPECT_EQ(PickMessage(pending, rules, 1000).due.size(), 5u);
}

TEST(AfterAttempt, WaitsForTheLongerOfScheduleAndRetryAfter) {
  const Delivery row = Row(1, "sink", "a", 1, 0);
  const Delivery later = AfterAttempt(row, {DeliveryResult::kRetry, 60s, "HTTP 429"}, false, 1000);
  EXPECT_EQ(later.state, "pending");
  EXPECT_EQ(later.attempts, 1);
  EXPECT_EQ(later.next_attempt_at, 61000);
  EXPECT_EQ(later.last_outcome, "HTTP 429");
  const Delivery sooner = AfterAttempt(row, {DeliveryResult::kRetry, 1s, "HTTP 429"}, false, 1000);
  EXPECT_GE(sooner.next_attempt_at, 1000 + 4000);
}

TEST(AfterAttempt, ClosesTheRowByItsOutcome) {
  const Delivery row = Row(1, "sink", "a", 1, 0);
  EXPECT_EQ(AfterAttempt(row, {DeliveryResult::kDelivered, {}, "HTTP 200"}, false, 5).state,
            "delivered");
  EXPECT_EQ(AfterAttempt(row, {DeliveryResult::kPermanent, {}, "HTTP 404"}, false, 5).state,
            "dead");
  const Delivery same = AfterAttempt(row, {DeliveryResult::kCancelled, {}, "stopped"}, false, 5);
  EXPECT_EQ(same.state, "pending");
  EXPECT_EQ(same.attempts, 0);
}

TEST(AfterAttempt, TakesAMessageApartThatIsRefusedForGood) {
  const Delivery row = Row(7, "sink", "a", 1, 0);
  const Delivery alone = AfterAttempt(row, {DeliveryResult::kPermanent, {}, "HTTP 400"}, true, 5);
  EXPECT_EQ(alone.state, "pending");
  EXPECT_EQ(alone.message, "7");
  EXPECT_EQ(alone.next_attempt_at, 5);
}

TEST(AfterAttempt, GivesUpWhenTheScheduleEnds) {
  Delivery row = Row(1, "sink", "a", 1, 0);
  UnixMillis now = 0;
  while (row.state == "pending") {
    row = AfterAttempt(row, {DeliveryResult::kRetry, {}, "HTTP 500"}, false, now);
    now = std::max(now, row.next_attempt_at);
  }
  EXPECT_EQ(row.state, "dead");
  EXPECT_EQ(row.attempts, 81);
  EXPECT_NEAR(static_cast<double>(now), 75 * 3.6e6, 5 * 3.6e6);
}

TEST(TokenBucket, AllowsTheBurstAndThenThePace) {
  std::chrono::steady_clock::time_point now{};
  TokenBucket bucket({.per_second = 1, .burst = 3}, now);
  int sent = 0;
  const auto begin = now;
  std::vector<std::chrono::steady_clock::time_point> times;
  while (sent < 20) {
    const auto wait = bucket.Take(now);
    if (wait == 0ms) {
      ++sent;
      times.push_back(now);
    }
    now += wait;
  }
  EXPECT_EQ(times[2], begin);
  EXPECT_GE(now - begin, 17s);
  for (std::size_t i = 4; i < times.size(); ++i) EXPECT_GE(times[i] - times[i - 1], 990ms);
}

TEST(RestAfterFailures, DoublesUpToHalfAMinute) {
  EXPECT_EQ(RestAfterFailures(0), 0ms);
  EXPECT_EQ(RestAfterFailures(1), 1s);
  EXPECT_EQ(RestAfterFailures(4), 8s);
  EXPECT_EQ(RestAfterFailures(1000), 30s);
}

}  // namespace
}  // namespace couplingd
