// Whatever alerts hold, their messages are what Slack takes.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

#include "tests/alerts/slack_examples.h"

namespace couplingd {
namespace {

using testing::AlertsTold;
using testing::Checked;
using testing::CheckedMessage;
using testing::ExampleNotification;
using testing::Group;
using testing::Storm;

// Characters that cost most after escaping, that are long in UTF-8, that are invalid, that Slack
// reads as marks, and none at all.
const std::string kUnits[] = {"x",  "&", "<", ">",    "\"", "\\", "\n", "\x01", "é",
                              "語", "😀", "`", "\xff", " ",  "*",  "_",  "~",    "\u202e"};
constexpr std::size_t kLengths[] = {0, 1, 149, 151, 499, 1199, 1201, 2999, 3001, 12001, 40000};

void SetAll(Notification& notification, int which, const std::string& text) {
  for (AlertNews& news : notification.news) {
    Finding& finding = news.alert.finding;
    if (which == 0 || which == 9) finding.summary = text;
    if (which == 1 || which == 9) finding.description = text;
    if (which == 2 || which == 9) finding.run = finding.labels["run"] = text;
    if (which == 3 || which == 9) finding.rule = text;
    if (which == 4 || which == 9) finding.interventions.assign(3, {text, text, text});
    if (which == 5 || which == 9) finding.labels["runbook_url"] = finding.labels["axes"] = text;
    if (which == 6 || which == 9) news.alert.resolution = text;
    if (which == 7 || which == 9) {
      for (int i = 0; i < 12; ++i) finding.values[std::to_string(i) + text] = i * 1.1e300;
    }
    if (which == 8 || which == 9) news.alert.key = notification.delivery_id = text;
  }
}

TEST(AnySlackMessage, KeepsEveryLimitWhateverIsLong) {
  for (const AlertState state : {AlertState::kFiring, AlertState::kResolved}) {
    for (const std::string& unit : kUnits) {
      for (const std::size_t length : kLengths) {
        std::string text;
        while (text.size() < length) text += unit;
        for (int which = 0; which <= 9; ++which) {
          Notification notification = ExampleNotification(state);
          notification.news.front().alert.is_test = which == 9;
          SetAll(notification, which, text);
          Checked(notification);
          if (HasFailure()) {
            FAIL() << "unit '" << unit << "', " << length << " bytes, field " << which;
          }
        }
      }
    }
  }
}

TEST(AnySlackMessage, OfManyKeepsEveryLimitAndLosesNoneWhateverIsLong) {
  for (const std::string& unit : kUnits) {
    for (const std::size_t length : {0u, 60u, 400u, 3000u}) {
      std::string text;
      while (text.size() < length) text += unit;
      for (int which = 0; which <= 9; ++which) {
        Notification group = Group(kMostAlertsInSlackMessage), storm = Storm(60);
        SetAll(group, which, text);
        SetAll(storm, which, text);
        EXPECT_EQ(AlertsTold(Checked(group)), kMostAlertsInSlackMessage);
        EXPECT_EQ(AlertsTold(Checked(storm)), 60);
        if (HasFailure()) {
          FAIL() << "unit '" << unit << "', " << length << " bytes, field " << which;
        }
      }
    }
  }
}

class Hostile {
 public:
  explicit Hostile(unsigned seed) : random_(seed) {}

  std::size_t Below(std::size_t end) { return random_() % end; }
  std::string Text() {
    static const std::vector<std::string> parts = {"word ",
                                                   "<!channel>",
                                                   "<@U1>",
                                                   "&amp;",
                                                   "&",
                                                   "```",
                                                   "*",
                                                   "_",
                                                   ":b:",
                                                   "\n",
                                                   "\r\n",
                                                   "語",
                                                   "😀",
                                                   "\xf0\x9f",
                                                   "\xed\xa0\x80",
                                                   "\u2028",
                                                   "\u0085",
                                                   "https://x.example/?a=1&b=<2>|",
                                                   "\\",
                                                   "\"",
                                                   std::string(1, '\0'),
                                                   "checkpoint-500",
                                                   "|",
                                                   "^",
                                                   ">",
                                                   "<"};
    static constexpr std::array<std::size_t, 6> kMost = {1, 3, 10, 40, 200, 3000};
    std::string text;
    for (std::size_t i = Below(kMost[Below(kMost.size())]); i > 0; --i) {
      text += parts[Below(parts.size())];
    }
    return text;
  }

  AlertNews News() {
    AlertNews news;
    Alert& alert = news.alert;
    alert.key = Text();
    alert.sequence = static_cast<std::int64_t>(Below(1000));
    alert.state = Below(2) == 0 ? AlertState::kFiring : AlertState::kResolved;
    alert.starts_at = static_cast<UnixMillis>(Below(4000000000)) * 1000;
    if (alert.state == AlertState::kResolved) {
      alert.ends_at = alert.starts_at + static_cast<UnixMillis>(Below(1u << 30));
      alert.resolution = Text();
    }
    alert.is_test = Below(20) == 0;
    news.told_firing = Below(2) == 0;
    news.delivery.repeat = static_cast<int>(Below(3));
    Finding& finding = alert.finding;
    finding.rule = Text();
    finding.kind = std::array{"phase", "sign_change", "bad_checkpoint", "other"}[Below(4)];
    finding.run = Text();
    finding.subject = Text();
    finding.severity = static_cast<Severity>(Below(3));
    finding.summary = Text();
    finding.description = Text();
    for (const char* label : {"run", "family", "axes", "over", "runbook_url", "quantity"}) {
      if (Below(2) == 0) finding.labels[label] = Text();
    }
    for (const char* value :
         {"gamma", "value", "low", "high", "level", "n", "step", "tokens", "p_value"}) {
      if (Below(2) == 0) finding.values[value] = std::ldexp(1.0, static_cast<int>(Below(200)) - 99);
    }
    if (Below(4) == 0) finding.values[Text()] = -1e300;
    for (std::size_t i = Below(4); i > 0; --i)
      finding.interventions.push_back({Text(), Text(), Text()});
    return news;
  }

 private:
  std::mt19937 random_;
};

TEST(AnySlackMessage, OfAnythingIsWhatSlackTakes) {
  Hostile hostile(20261126);
  for (int round = 0; round < 400; ++round) {
    Notification notification;
    notification.delivery_id = hostile.Text();
    notification.is_digest = round % 3 == 2;
    const std::size_t count = round % 3 == 0   ? 1
                              : round % 3 == 1 ? 2 + hostile.Below(kMostAlertsInSlackMessage - 1)
                                               : 1 + hostile.Below(40);
    for (std::size_t i = 0; i < count; ++i) notification.news.push_back(hostile.News());
    const CheckedMessage message = Checked(notification);
    EXPECT_EQ(AlertsTold(message), static_cast<int>(count)) << message.header;
    EXPECT_EQ(RenderSlack(notification), RenderSlack(notification));
    Notification one{.delivery_id = notification.delivery_id, .news = {notification.news.front()}};
    const CheckedMessage reply =
        testing::CheckSlackMessage("{" + SlackReplyOf(one).Members() + "}");
    EXPECT_EQ(reply.problems, std::vector<std::string>{});
    if (HasFailure()) FAIL() << "round " << round;
  }
}

}  // namespace
}  // namespace couplingd
