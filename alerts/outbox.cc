#include "alerts/outbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "base/hash.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr std::array<milliseconds, 6> kFirstDelays = {5s, 30s, 2min, 5min, 15min, 30min};
constexpr milliseconds kHourly = 1h;
constexpr milliseconds kGiveUpAfter = 75h;
constexpr double kJitter = 0.2;

// In [0, 1), from the text alone.
double UnitHash(const std::string& text) {
  const std::uint64_t bits = std::stoull(HashHex(text).substr(0, 13), nullptr, 16);
  return static_cast<double>(bits) / static_cast<double>(1ull << 52);
}

constexpr std::string_view kDigestPrefix = "digest-";

Pick RestOfMessage(const std::vector<const Delivery*>& heads, const std::string& message) {
  Pick pick;
  pick.is_digest = message.starts_with(kDigestPrefix);
  for (const Delivery* head : heads) {
    if (head->message == message) pick.due.push_back(*head);
  }
  std::ranges::sort(pick.due, {}, &Delivery::id);
  return pick;
}

// The first of the heads and those that may join it.
Pick NewMessage(const std::vector<const Delivery*>& heads, const PickRules& rules) {
  const Delivery& next = *heads.front();
  const auto is_free = [](const Delivery* d) { return d->message.empty(); };
  Pick pick;
  pick.is_digest =
      next.severity != Severity::kCritical && std::ranges::count_if(heads, is_free) > rules.storm;
  const std::size_t most =
      pick.is_digest ? kMostDigested : static_cast<std::size_t>(rules.most_alerts);
  for (const Delivery* head : heads) {
    const bool joins = pick.is_digest ? head->severity != Severity::kCritical
                                      : head->group == next.group && !next.group.empty();
    if (pick.due.size() < most && is_free(head) && (head == &next || joins)) {
      pick.due.push_back(*head);
    }
  }
  return pick;
}

}  // namespace

std::optional<milliseconds> RetryDelay(int failed_attempts, const std::string& delivery_id) {
  const std::size_t index = static_cast<std::size_t>(std::max(failed_attempts, 1) - 1);
  milliseconds waited{0};
  for (std::size_t i = 0; i < std::min(index, kFirstDelays.size()); ++i) waited += kFirstDelays[i];
  if (index > kFirstDelays.size()) waited += kHourly * (index - kFirstDelays.size());
  const milliseconds delay = index < kFirstDelays.size() ? kFirstDelays[index] : kHourly;
  if (waited + delay > kGiveUpAfter) return std::nullopt;
  const double unit = UnitHash(fmt::format("{}:{}", delivery_id, failed_attempts));
  const double factor = 1 + kJitter * (2 * unit - 1);
  return milliseconds(std::llround(static_cast<double>(delay.count()) * factor));
}

Pick PickMessage(const std::vector<Delivery>& pending, const PickRules& rules, UnixMillis now) {
  std::map<std::string, const Delivery*> first;  // by alert
  for (const Delivery& delivery : pending) {
    if (delivery.sink != rules.sink) continue;
    const Delivery*& head = first[delivery.alert_key];
    if (!head || delivery.sequence < head->sequence) head = &delivery;
  }
  std::vector<const Delivery*> heads;
  for (const auto& [key, head] : first) heads.push_back(head);
  const auto due_at = [&](const Delivery* d) {
    return rules.hurry && d->attempts == 0 ? std::min(d->next_attempt_at, now) : d->next_attempt_at;
  };
  const auto order = [&](const Delivery* d) {
    return std::tuple(due_at(d) > now, d->severity != Severity::kCritical, due_at(d), d->id);
  };
  std::ranges::sort(heads, {}, order);
  if (heads.empty()) return {};
  const Delivery& next = *heads.front();
  if (due_at(&next) > now) return {{}, false, due_at(&next)};
  if (!next.message.empty()) return RestOfMessage(heads, next.message);
  return NewMessage(heads, rules);
}

std::string MessageId(const Pick& pick) {
  return (pick.is_digest ? std::string(kDigestPrefix) : "") + pick.due.front().delivery_id;
}

Delivery AfterAttempt(Delivery delivery, const DeliveryOutcome& outcome, bool had_company,
                      UnixMillis now) {
  if (outcome.result == DeliveryResult::kCancelled) return delivery;
  ++delivery.attempts;
  delivery.updated_at = now;
  delivery.last_outcome = outcome.text;
  if (outcome.result == DeliveryResult::kDelivered) {
    delivery.state = "delivered";
    delivery.receipt = outcome.receipt;
    return delivery;
  }
  if (outcome.result == DeliveryResult::kPermanent && had_company) {
    delivery.message = delivery.delivery_id;
    delivery.next_attempt_at = now;
    return delivery;
  }
  const std::optional<milliseconds> delay =
      outcome.result == DeliveryResult::kRetry ? RetryDelay(delivery.attempts, delivery.delivery_id)
                                               : std::nullopt;
  if (!delay) {
    delivery.state = "dead";
    return delivery;
  }
  delivery.next_attempt_at =
      now + std::max(*delay, outcome.retry_after.value_or(milliseconds(0))).count();
  return delivery;
}

milliseconds RestAfterFailures(int failures_in_a_row) {
  if (failures_in_a_row <= 0) return 0ms;
  return std::min<milliseconds>(1s * (1 << std::min(failures_in_a_row - 1, 10)), 30s);
}

TokenBucket::TokenBucket(const Pace& pace, std::chrono::steady_clock::time_point now)
    : pace_(pace), tokens_(pace.burst), last_(now) {}

milliseconds TokenBucket::Take(std::chrono::steady_clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - last_).count();
  tokens_ = std::min<double>(pace_.burst, tokens_ + std::max(seconds, 0.0) * pace_.per_second);
  last_ = now;
  if (tokens_ >= 1) {
    tokens_ -= 1;
    return 0ms;
  }
  return milliseconds(
      static_cast<std::int64_t>(std::ceil((1 - tokens_) / pace_.per_second * 1000)));
}

}  // namespace couplingd
