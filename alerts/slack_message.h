// Alerts as Slack messages: Block Kit, with a plain-text fallback, which is what a phone shows
// first. The first line says what and where, the next ones how sure and what to do. No message
// exceeds a limit of Slack's; what does not fit is counted, with the command that shows it.
#pragma once

#include <string>
#include <vector>

#include "alerts/message.h"

namespace couplingd {

// So many alerts of one group fit whatever they hold.
inline constexpr int kMostAlertsInSlackMessage = 20;

struct SlackMessage {
  std::string text;                 // mrkdwn
  std::vector<std::string> blocks;  // each as JSON

  // The members "text" and "blocks" of a JSON object, without its braces.
  std::string Members() const;
};

// One alert in full; several of one run and rule one after the other; a digest counted by rule and
// run, with the gravest in full.
SlackMessage SlackMessageOf(const Notification& notification);

// What is new about one alert, for the thread that its first message began.
SlackMessage SlackReplyOf(const Notification& notification);

// The body that an incoming webhook takes.
std::string RenderSlack(const Notification& notification);

}  // namespace couplingd
