// Slack messages of example alerts, and their check.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "alerts/slack_message.h"
#include "alerts/slack_text.h"
#include "tests/alerts/slack_limits.h"
#include "tests/alerts/test_support.h"

namespace couplingd::testing {

// The message, after checking every limit that Slack sets.
inline CheckedMessage Checked(const Notification& notification) {
  const std::string body = RenderSlack(notification);
  EXPECT_LE(body.size(), kSlackMessageLimit);
  CheckedMessage message = CheckSlackMessage(body);
  EXPECT_EQ(message.problems, std::vector<std::string>{}) << body;
  return message;
}

// The alerts of one run and rule, every third of them over.
inline Notification Group(std::size_t count) {
  Notification notification = ExampleNotification();
  notification.news.clear();
  for (std::size_t i = 0; i < count; ++i) {
    AlertNews news =
        ExampleNotification(i % 3 == 2 ? AlertState::kResolved : AlertState::kFiring).news.front();
    news.alert.key = std::to_string(i) + std::string(31, 'a');
    news.alert.finding.summary = "subject " + std::to_string(i) + " fell";
    notification.news.push_back(std::move(news));
  }
  return notification;
}

inline Notification Storm(std::size_t count) {
  Notification notification = Group(count);
  notification.is_digest = true;
  for (std::size_t i = 0; i < count; ++i) {
    Finding& finding = notification.news[i].alert.finding;
    finding.run = "run-" + std::to_string(i % 40);
    finding.rule = i % 2 == 0 ? "tax" : "bad";
    finding.severity = i == count / 2 + 1 ? Severity::kCritical : Severity::kWarning;
    notification.news[i].alert.starts_at += static_cast<UnixMillis>(i) * 1000;
  }
  return notification;
}

}  // namespace couplingd::testing
