#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "alerts/message.h"
#include "base/json.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using testing::ExampleNotification;

// The message's blocks, after checking every limit that Slack sets.
std::vector<std::string> CheckedTexts(const std::string& message) {
  EXPECT_LT(message.size(), kSlackMessageLimit);
  const auto parsed = ParseJson(message, "message");
  EXPECT_TRUE(parsed) << parsed.error().Text();
  if (!parsed) return {};
  std::vector<std::string> texts;
  EXPECT_FALSE(GetString(*parsed, "text", "message").value().empty());
  const auto& blocks = (*parsed)["blocks"];
  EXPECT_LE(blocks.Size(), 50u);
  const auto take = [&](const JsonValue& object, std::size_t limit) {
    const std::string text = GetString(object, "text", "message").value();
    EXPECT_LE(text.size(), limit);
    EXPECT_FALSE(text.empty());
    texts.push_back(text);
  };
  for (const auto& block : blocks.GetArray()) {
    const std::string type = GetString(block, "type", "message").value();
    if (type == "header") take(block["text"], kSlackHeaderLimit);
    if (type == "section" && block.HasMember("text")) take(block["text"], kSlackSectionLimit);
    if (block.HasMember("fields")) {
      EXPECT_LE(block["fields"].Size(), 10u);
      for (const auto& field : block["fields"].GetArray()) take(field, kSlackFieldLimit);
    }
    if (type == "context") {
      EXPECT_LE(block["elements"].Size(), 10u);
      for (const auto& element : block["elements"].GetArray()) take(element, kSlackSectionLimit);
    }
  }
  return texts;
}

std::string Joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += text + "\n";
  return all;
}

TEST(SlackMessage, ReadsAsWhatHappenedWhatToDoAndHowToLook) {
  const std::string all = Joined(CheckedTexts(RenderSlack(ExampleNotification())));
  for (const char* part :
       {"FIRING (warning): pythia-1b: truthfulqa_mc2.acc falls", "95 % interval [-0.45, -0.18]",
        "*What to do*\n• curate: Raise the share of curated text. The tax is in the data.",
        "couplingctl coupling --run pythia-1b", "https://wiki.example/tax",
        "delivery d0d1d2d3d4d5d6d7d8d9dadbdcdddedf", "*gamma*\n-0.32", "transition 1"}) {
    EXPECT_NE(all.find(part), std::string::npos) << part << "\n" << all;
  }
}

TEST(SlackMessage, OfAResolvedAlertSaysWhatFiredAndWhyItIsOver) {
  const std::string all =
      Joined(CheckedTexts(RenderSlack(ExampleNotification(AlertState::kResolved))));
  for (const char* part : {"RESOLVED (warning)", "*It is over:* The tax phase was left",
                           "*What had fired*\nγ = -0.32", "2026-11-23T15:05:00.000Z"}) {
    EXPECT_NE(all.find(part), std::string::npos) << part << "\n" << all;
  }
  EXPECT_NE(
      RenderSlack(ExampleNotification(AlertState::kResolved, false)).find("FIRED AND RESOLVED"),
      std::string::npos);
}

TEST(SlackMessage, MarksTests) {
  Notification notification = ExampleNotification();
  notification.news.front().alert.is_test = true;
  const std::string all = Joined(CheckedTexts(RenderSlack(notification)));
  EXPECT_NE(all.find("TEST (warning)"), std::string::npos);
  EXPECT_NE(all.find("This is a test message"), std::string::npos);
}

TEST(SlackMessage, EscapesMentionsAndLinks) {
  Notification notification = ExampleNotification();
  notification.news.front().alert.finding.description = "<!channel> & <https://evil.example|click>";
  notification.news.front().alert.finding.summary = "<@U123> a & b";
  const std::string all = Joined(CheckedTexts(RenderSlack(notification)));
  EXPECT_NE(all.find("&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;"),
            std::string::npos);
  EXPECT_EQ(all.find("<!"), std::string::npos);
}

TEST(SlackMessage, SpreadsALongDescriptionOverSectionsWithoutLosingAWord) {
  Notification notification = ExampleNotification();
  std::string description;
  for (int i = 0; description.size() < 7000; ++i) description += "word" + std::to_string(i) + " ";
  notification.news.front().alert.finding.description = description;
  std::string joined;
  for (const std::string& text : CheckedTexts(RenderSlack(notification))) joined += text;
  EXPECT_NE(joined.find(description), std::string::npos);
}

TEST(SlackMessage, SaysHowMuchOfADescriptionDidNotFit) {
  Notification notification = ExampleNotification();
  notification.news.front().alert.finding.description = std::string(40000, 'x');
  const std::string all = Joined(CheckedTexts(RenderSlack(notification)));
  const std::size_t note = all.find(" characters left out; couplingctl alerts shows all)");
  ASSERT_NE(note, std::string::npos);
  const std::size_t open = all.rfind('(', note);
  const std::size_t left_out = std::stoul(all.substr(open + 1, note - open - 1));
  const std::size_t shown = static_cast<std::size_t>(std::ranges::count(all, 'x')) -
                            static_cast<std::size_t>(std::ranges::count(
                                Joined(CheckedTexts(RenderSlack(ExampleNotification()))), 'x'));
  EXPECT_EQ(shown + left_out, 40000u);
}

// Characters that cost most after escaping, that are long in UTF-8, that are invalid, and none at
// all.
const std::string kUnits[] = {"x", "&",  "<", "\"",   "\\", "\n", "\x01",
                              "é", "語", "😀", "\xff", " ",  "`"};
constexpr std::size_t kLengths[] = {0,    1,    2,    140,  149,   150,   151,  599,
                                    601,  1199, 1201, 2399, 2401,  2990,  2999, 3000,
                                    3001, 5999, 6001, 9000, 12999, 13001, 50000};

void SetAll(Notification& notification, int which, const std::string& text) {
  Finding& finding = notification.news.front().alert.finding;
  if (which == 0 || which == 9) finding.summary = text;
  if (which == 1 || which == 9) finding.description = text;
  if (which == 2 || which == 9) finding.run = finding.labels["run"] = text;
  if (which == 3 || which == 9) finding.rule = text;
  if (which == 4 || which == 9) finding.interventions.assign(3, {text, text, text});
  if (which == 5 || which == 9) finding.labels["runbook_url"] = finding.labels["axes"] = text;
  if (which == 6 || which == 9) notification.news.front().alert.resolution = text;
  if (which == 7 || which == 9) {
    for (int i = 0; i < 12; ++i) finding.values[std::to_string(i) + text] = i * 1.1e300;
  }
  if (which == 8 || which == 9)
    notification.news.front().alert.key = notification.delivery_id = text;
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
          CheckedTexts(RenderSlack(notification));
          if (HasFailure()) {
            FAIL() << "unit '" << unit << "', " << length << " bytes, field " << which;
          }
        }
      }
    }
  }
}

TEST(SlackMessage, BreaksNoCharacterAndNoEntityApart) {
  for (std::size_t shift = 0; shift < 12; ++shift) {
    Notification notification = ExampleNotification();
    std::string& text = notification.news.front().alert.finding.description;
    text = std::string(shift, 'x');
    while (text.size() < 12000) text += "語&😀";
    for (const std::string& part : CheckedTexts(RenderSlack(notification))) {
      EXPECT_EQ(ToValidUtf8(part), part);
      for (std::size_t at = part.find('&'); at != std::string::npos; at = part.find('&', at + 1)) {
        EXPECT_EQ(part.substr(at, 5), "&amp;") << shift;
      }
      EXPECT_EQ(part.find("\xef\xbf\xbd"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace couplingd
