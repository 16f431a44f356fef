#include "alerts/slack_message.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "alerts/slack_text.h"
#include "base/json.h"
#include "tests/alerts/slack_limits.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using testing::AlertsTold;
using testing::CheckedMessage;
using testing::ExampleAlert;
using testing::ExampleNotification;

// The message, after checking every limit that Slack sets.
CheckedMessage Checked(const Notification& notification) {
  const std::string body = RenderSlack(notification);
  EXPECT_LE(body.size(), kSlackMessageLimit);
  CheckedMessage message = testing::CheckSlackMessage(body);
  EXPECT_EQ(message.problems, std::vector<std::string>{}) << body;
  return message;
}

void ExpectParts(const std::string& all, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(all.find(part), std::string::npos) << part << "\n" << all;
  }
}

// The alerts of one run and rule, every third of them over.
Notification Group(std::size_t count) {
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

Notification Storm(std::size_t count) {
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

TEST(SlackMessage, SaysWhatAndWhereFirstThenWhatToDoAndHowSure) {
  const CheckedMessage message = Checked(ExampleNotification());
  EXPECT_EQ(message.header,
            "🟠 FIRING (warning): pythia-1b: truthfulqa_mc2.acc falls as hellaswag.acc_norm "
            "improves, γ = -0.32");
  ExpectParts(message.fallback, {"FIRING (warning): pythia-1b", "γ -0.32 [-0.45, -0.18]",
                                 "To do: Raise the share of curated text."});
  ExpectParts(
      message.All(),
      {"*γ -0.32 [-0.45, -0.18]* · from 8 checkpoints\nrun pythia-1b · since <!date^1795442700^",
       "2026-11-23 14:05 UTC",
       "*What to do*\n• *Raise the share of curated text.*\nThe tax is in the data.",
       "*Why*\nγ = -0.32 at step 8000, 95 % interval [-0.45, -0.18]",
       "`couplingctl coupling --run pythia-1b", "`couplingctl alerts why 0123456789ab`",
       "`couplingctl alerts ack 0123456789ab`", "<https://wiki.example/tax|Runbook>",
       "delivery d0d1d2d3d4d5d6d7d8d9dadbdcdddedf", "transition 1"});
}

TEST(SlackMessage, OfAResolvedAlertSaysWhyItIsOverAndWhatHadFired) {
  const CheckedMessage message = Checked(ExampleNotification(AlertState::kResolved));
  EXPECT_TRUE(message.header.starts_with("✅ RESOLVED (warning): pythia-1b")) << message.header;
  ExpectParts(message.All(), {"*Over:* The tax phase was left", "*What had fired*\nγ = -0.32",
                              " · fired <!date^1795442700^", "2026-11-23 15:05 UTC>, after 59m"});
  EXPECT_EQ(message.All().find("What to do"), std::string::npos);
  EXPECT_TRUE(Checked(ExampleNotification(AlertState::kResolved, false))
                  .header.starts_with("✅ FIRED AND RESOLVED (warning)"));
}

TEST(SlackMessage, OfAnAlertThatWasToldBeforeSaysSo) {
  Notification notification = ExampleNotification();
  notification.news.front().delivery.repeat = 3;
  const CheckedMessage message = Checked(notification);
  EXPECT_TRUE(message.header.starts_with("🟠 STILL FIRING (warning): ")) << message.header;
  ExpectParts(message.All(), {" · told 3 times before"});
}

TEST(SlackMessage, MarksTests) {
  Notification notification = ExampleNotification();
  notification.news.front().alert.is_test = true;
  const CheckedMessage message = Checked(notification);
  EXPECT_TRUE(message.header.starts_with("🧪 TEST (warning)")) << message.header;
  ExpectParts(message.All(), {"This is a test message"});
}

TEST(SlackMessage, EscapesMentionsAndLinks) {
  Notification notification = ExampleNotification();
  Finding& finding = notification.news.front().alert.finding;
  finding.description = "<!channel> & <https://evil.example|click>";
  finding.summary = "<@U123> a & b \u202e";
  finding.labels["runbook_url"] = "https://x.example/a>|<!here>";
  const CheckedMessage message = Checked(notification);
  ExpectParts(message.All(), {"&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;",
                              "Runbook: https://x.example/a&gt;|&lt;!here&gt;"});
  EXPECT_EQ(message.header, "🟠 FIRING (warning): <@U123> a & b  ");
}

TEST(SlackMessage, SpreadsALongDescriptionOverSectionsWithoutLosingAWord) {
  Notification notification = ExampleNotification();
  std::string description;
  for (int i = 0; description.size() < 7000; ++i) description += "word" + std::to_string(i) + " ";
  notification.news.front().alert.finding.description = description;
  std::string joined;
  for (const std::string& text : Checked(notification).texts) joined += text;
  EXPECT_NE(joined.find(description), std::string::npos);
}

TEST(SlackMessage, SaysHowMuchOfADescriptionDidNotFit) {
  Notification notification = ExampleNotification();
  notification.news.front().alert.finding.description = std::string(40000, '%');
  const std::string all = Checked(notification).All();
  const std::size_t note =
      all.find(" characters left out; `couplingctl alerts why 0123456789ab` shows all)");
  ASSERT_NE(note, std::string::npos);
  const std::size_t open = all.rfind('(', note);
  const std::size_t left_out = std::stoul(all.substr(open + 1, note - open - 1));
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(all, '%')) + left_out, 40000u);
}

TEST(SlackMessage, OfAGroupCountsAllAndGivesEachItsSection) {
  for (const std::size_t count : {2u, 3u, 7u, 20u}) {
    const CheckedMessage message = Checked(Group(count));
    EXPECT_EQ(AlertsTold(message), static_cast<int>(count)) << message.header;
    for (std::size_t i = 0; i < count; ++i) {
      ExpectParts(message.All(), {"subject " + std::to_string(i) + " fell",
                                  "`couplingctl alerts why " + std::to_string(i) + "a"});
    }
  }
  const CheckedMessage message = Checked(Group(3));
  EXPECT_EQ(message.header, "🟠 2 FIRING, 1 RESOLVED (warning): pythia-1b, rule tax");
  ExpectParts(
      message.All(),
      {"*To do:* Raise the share of curated text.",
       "🟠 *FIRING (warning)* subject 0 fell\nγ -0.32 [-0.45, -0.18] · from 8 checkpoints",
       "✅ *RESOLVED (warning)* subject 2 fell\n*Over:* The tax phase was left"});
}

TEST(SlackMessage, OfAGroupSaysWhatToDoForEachWhereItDiffers) {
  Notification notification = Group(2);
  notification.news[1].alert.finding.interventions[0].action = "Widen the model.";
  const std::string all = Checked(notification).All();
  ExpectParts(all, {"*To do:* Raise the share of curated text.", "*To do:* Widen the model."});
}

TEST(SlackMessage, OfADigestCountsByRuleAndRunAndShowsTheGravestOfEach) {
  const CheckedMessage message = Checked(Storm(1000));
  EXPECT_EQ(AlertsTold(message), 1000);
  EXPECT_EQ(message.header,
            "🔴 1000 alerts at once: 667 FIRING, 333 RESOLVED, of 2 rules in 40 runs");
  const std::string all = message.All();
  ExpectParts(all,
              {"*Rule* bad: 334 FIRING, 166 RESOLVED in 20 runs: run-21 25, run-1 25, ",
               " and 15 runs more\n_The gravest of them:_\n🔴 *FIRING (critical)* subject 501 fell",
               "*Rule* tax: 333 FIRING, 167 RESOLVED in 20 runs: run-0 25, ",
               "*By severity:* 1 critical, 999 warning. 2 of 1000 are shown; all: "
               "`couplingctl alerts --since 2026-11-23T14:05:00Z`"});
  EXPECT_LT(all.find("*Rule* bad"), all.find("*Rule* tax"));
}

TEST(SlackMessage, OfADigestNamesTheRulesThatItDoesNotShow) {
  Notification storm = Storm(60);
  for (std::size_t i = 0; i < 60; ++i) {
    storm.news[i].alert.finding.rule = "rule-" + std::to_string(i % 9);
  }
  ExpectParts(Checked(storm).All(), {"*Further rules:* rule-", "7 of 60 are shown"});
  for (std::size_t i = 0; i < 60; ++i) {
    storm.news[i].alert.finding.rule = std::string(50, 'r') + std::to_string(i);
  }
  ExpectParts(Checked(storm).All(), {" more with "});
}

TEST(SlackMessage, ForAThreadSaysWhatIsNew) {
  const SlackMessage reply = SlackReplyOf(ExampleNotification(AlertState::kResolved));
  const CheckedMessage message = testing::CheckSlackMessage("{" + reply.Members() + "}");
  EXPECT_EQ(message.problems, std::vector<std::string>{});
  ExpectParts(message.All(), {"✅ *RESOLVED (warning)*", "*Over:* The tax phase was left",
                              "delivery d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"});
}

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

TEST(SlackMessage, KeepsEveryLimitWhateverIsLong) {
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

TEST(SlackMessage, OfManyKeepsEveryLimitAndLosesNoneWhateverIsLong) {
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

TEST(SlackMessage, OfAnythingIsWhatSlackTakes) {
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

TEST(SlackMessage, BreaksNoCharacterAndNoEntityApart) {
  for (std::size_t shift = 0; shift < 12; ++shift) {
    Notification notification = ExampleNotification();
    std::string& text = notification.news.front().alert.finding.description;
    text = std::string(shift, 'x');
    while (text.size() < 12000) text += "語&😀";
    for (const std::string& part : Checked(notification).texts) {
      EXPECT_EQ(part.find("\xef\xbf\xbd"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace couplingd
