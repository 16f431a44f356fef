// Alerts as the bodies that sinks send. The same notification gives the same bytes on every
// attempt.
#pragma once

#include <string>
#include <string_view>

#include "records/alert.h"

namespace couplingd {

// One transition on its way to one sink.
struct Notification {
  Alert alert;
  Delivery delivery;
  // The sink acknowledged the firing that a resolved alert ends. Where it did not, the message says
  // "fired and resolved".
  bool told_firing = false;
};

// The generic webhook's JSON; docs/webhook.md is its contract.
std::string RenderWebhook(const Notification& notification);

// Limits of Slack's incoming webhooks. Bytes of the serialized JSON are counted, which is never
// less than the characters that Slack counts.
inline constexpr std::size_t kSlackHeaderLimit = 150;
inline constexpr std::size_t kSlackSectionLimit = 3000;
inline constexpr std::size_t kSlackFieldLimit = 2000;
inline constexpr std::size_t kSlackMessageLimit = 13000;

// Slack's JSON: Block Kit with a plain-text fallback. Long texts are spread over several sections;
// where even that is not enough, the text ends with a note of how much is missing and where to read
// it.
std::string RenderSlack(const Notification& notification);

// "FIRING", "RESOLVED", "FIRED AND RESOLVED" or "TEST".
std::string_view StateWord(const Notification& notification);

// The couplingctl command that shows what the alert is about.
std::string LookCommand(const Finding& finding);

}  // namespace couplingd
