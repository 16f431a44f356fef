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

TEST(PickDelivery, TakesTheOldestDueOfTheSink) {
  const std::vector<Delivery> pending = {Row(1, "other", "k", 1, 0), Row(2, "sink", "a", 1, 500),
                                         Row(3, "sink", "b", 1, 400), Row(4, "sink", "c", 1, 2000)};
  EXPECT_EQ(PickDelivery(pending, "sink", 1000).due->id, 3);
  EXPECT_EQ(PickDelivery(pending, "nobody", 1000).due, std::nullopt);
  EXPECT_EQ(PickDelivery(pending, "nobody", 1000).next_at, std::nullopt);
}

TEST(PickDelivery, NeverOvertakesAnEarlierTransitionOfTheSameAlert) {
  const std::vector<Delivery> pending = {Row(2, "sink", "a", 2, 0), Row(1, "sink", "a", 1, 9000)};
  const Pick waiting = PickDelivery(pending, "sink", 1000);
  EXPECT_FALSE(waiting.due);
  EXPECT_EQ(waiting.next_at, 9000);
  EXPECT_EQ(PickDelivery(pending, "sink", 9000).due->sequence, 1);
}

TEST(AfterAttempt, WaitsForTheLongerOfScheduleAndRetryAfter) {
  const Delivery row = Row(1, "sink", "a", 1, 0);
  const Delivery later = AfterAttempt(row, {DeliveryResult::kRetry, 60s, "HTTP 429"}, 1000);
  EXPECT_EQ(later.state, "pending");
  EXPECT_EQ(later.attempts, 1);
  EXPECT_EQ(later.next_attempt_at, 61000);
  EXPECT_EQ(later.last_outcome, "HTTP 429");
  const Delivery sooner = AfterAttempt(row, {DeliveryResult::kRetry, 1s, "HTTP 429"}, 1000);
  EXPECT_GE(sooner.next_attempt_at, 1000 + 4000);
}

TEST(AfterAttempt, ClosesTheRowByItsOutcome) {
  const Delivery row = Row(1, "sink", "a", 1, 0);
  EXPECT_EQ(AfterAttempt(row, {DeliveryResult::kDelivered, {}, "HTTP 200"}, 5).state, "delivered");
  EXPECT_EQ(AfterAttempt(row, {DeliveryResult::kPermanent, {}, "HTTP 404"}, 5).state, "dead");
  const Delivery same = AfterAttempt(row, {DeliveryResult::kCancelled, {}, "stopped"}, 5);
  EXPECT_EQ(same.state, "pending");
  EXPECT_EQ(same.attempts, 0);
}

TEST(AfterAttempt, GivesUpWhenTheScheduleEnds) {
  Delivery row = Row(1, "sink", "a", 1, 0);
  UnixMillis now = 0;
  while (row.state == "pending") {
    row = AfterAttempt(row, {DeliveryResult::kRetry, {}, "HTTP 500"}, now);
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
