#include "alerts/slack_message.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/alerts/slack_examples.h"

namespace couplingd {
namespace {

using testing::AlertsTold;
using testing::Checked;
using testing::CheckedMessage;
using testing::ExampleNotification;
using testing::Group;
using testing::Storm;

void ExpectParts(const std::string& all, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(all.find(part), std::string::npos) << part << "\n" << all;
  }
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

TEST(SlackMessage, OfAGroupSaysHowMuchOfEachIsMissing) {
  Notification notification = Group(kMostAlertsInSlackMessage);
  for (std::size_t i = 0; i < notification.news.size(); ++i) {
    Alert& alert = notification.news[i].alert;
    alert.finding.summary = alert.finding.description = alert.resolution = std::string(500, '%');
    alert.finding.interventions[0].action = std::to_string(i) + std::string(500, '%');
    alert.finding.values.clear();
    alert.finding.labels["runbook_url"] = "https://x.example/" + std::string(250, 'x');
    alert.finding.rule = alert.finding.run = std::string(500, '%');
  }
  const std::string all = Checked(notification).All();
  std::size_t notes = 0;
  for (std::size_t at = 0; (at = all.find("characters left out)", at)) != std::string::npos; ++at) {
    ++notes;
  }
  // Summary, description and what to do of the 14 that fire, summary and resolution of the others;
  // and the rule in the footer.
  EXPECT_GE(notes, 14u * 3 + 6u * 2) << all;
}

// That the checks of these tests can fail.
TEST(SlackLimits, RefuseWhatSlackRefuses) {
  const auto problems = [](const std::string& blocks) {
    return testing::CheckSlackMessage(R"({"text":"x","blocks":[)" + blocks + "]}").problems.size();
  };
  const auto section = [](const std::string& text) {
    return R"({"type":"section","text":{"type":"mrkdwn","text":")" + text + "\"}}";
  };
  const auto header = [](const std::string& text) {
    return R"({"type":"header","text":{"type":"plain_text","text":")" + text + "\"}}";
  };
  EXPECT_EQ(problems(section("fine &amp; <https://x.example|x>")), 0u);
  EXPECT_EQ(problems(header(std::string(150, 'x'))), 0u);
  for (const std::string& bad :
       {section(""), section(std::string(3001, 'x')), section("<!channel>"), section("a & b"),
        section("<@U1>"), section("\\u0001"), header(std::string(151, 'x')), header(""),
        std::string(R"({"type":"section"})"), std::string(R"({"type":"table"})")}) {
    EXPECT_GT(problems(bad), 0u) << bad;
  }
  std::string many = header("x");
  for (int i = 0; i < 50; ++i) many += "," + section("x");
  EXPECT_GT(problems(many), 0u);
  many = section(std::string(3000, 'x'));
  for (int i = 0; i < 4; ++i) many += "," + section(std::string(3000, 'x'));
  EXPECT_GT(problems(many), 0u);
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
