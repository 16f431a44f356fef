// Alerts as the bodies that sinks send. The same notification gives the same bytes on every
// attempt.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "records/alert.h"

namespace couplingd {

// What there is to tell one sink about one alert.
struct AlertNews {
  Alert alert;
  Delivery delivery;  // its row in the outbox; `repeat` > 0: told before and still firing
  // The sink acknowledged the firing that a resolved alert ends. Where it did not, the message says
  // "fired and resolved".
  bool told_firing = false;
  std::string receipt;    // the newest that this sink gave for this alert; empty if none
  std::string chart_png;  // the trajectory; empty where the sink takes no charts or there is none
};

// One message to one sink.
struct Notification {
  std::string delivery_id;  // the same on every attempt
  std::vector<AlertNews>
      news;                // at least one, at most Sink::Traits().most_alerts; one run and rule
  bool is_digest = false;  // a storm: of many runs and rules, at most kMostDigested
};
inline constexpr std::size_t kMostDigested = 1000;

// The most alerts of a message that are told in full; more come as a second message.
inline constexpr int kMostTold = 20;

// The JSON of webhooks, commands and files, which receivers of Prometheus Alertmanager's webhooks
// (version 4) read as theirs; docs/webhook.md is its contract.
std::string RenderWebhook(const Notification& notification);

// "FIRING", "STILL FIRING", "RESOLVED", "FIRED AND RESOLVED" or "TEST".
std::string_view StateWord(const AlertNews& news);

// The couplingctl command that shows what the alert is about.
std::string LookCommand(const Finding& finding);

}  // namespace couplingd
