#include "alerts/slack_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "alerts/key_numbers.h"
#include "alerts/slack_parts.h"
#include "alerts/slack_text.h"
#include "base/json.h"
#include "base/units.h"

namespace couplingd {
namespace {

constexpr std::size_t kSummaryLimit = 1200;
constexpr std::size_t kResolutionLimit = 1200;
constexpr std::size_t kNumbersLimit = 800;
constexpr std::size_t kRunLimit = 300;
constexpr std::size_t kActionsLimit = 2400;
constexpr std::size_t kLeastAction = 100;
constexpr std::size_t kCommandLimit = 500;
constexpr std::size_t kRunbookLimit = 500;

std::string HeadlineOf(const AlertNews& news) {
  const Finding& finding = news.alert.finding;
  return fmt::format("{} {} ({}): {}", SlackMark(news), StateWord(news), ToString(finding.severity),
                     finding.summary);
}

// What a phone shows without being opened.
std::string FallbackOf(const AlertNews& news) {
  std::string text = HeadlineOf(news);
  const Alert& alert = news.alert;
  if (alert.state == AlertState::kResolved) {
    text += " Over: " + alert.resolution;
  } else {
    if (HasInterval(alert.finding)) text += " · " + KeyNumbersLine(alert.finding);
    if (const std::string action = FirstAction(news); !action.empty()) text += " To do: " + action;
  }
  return SlackClamp(text, kSlackFallbackLimit);
}

// In bold type, where that is sure to work.
std::string Bold(const std::string& escaped) {
  const bool is_plain = !escaped.empty() && escaped.find_first_of("*\n") == std::string::npos &&
                        escaped.front() != ' ' && escaped.back() != ' ';
  return is_plain ? "*" + escaped + "*" : escaped;
}

std::string LastedText(const Alert& alert) {
  const std::chrono::milliseconds lasted(std::max<UnixMillis>(alert.ends_at - alert.starts_at, 0));
  if (lasted >= std::chrono::hours(1)) {
    return FormatDuration(std::chrono::floor<std::chrono::minutes>(lasted));
  }
  return FormatDuration(std::chrono::floor<std::chrono::seconds>(lasted));
}

// "*γ -0.36 [-0.52, -0.21], 95 %* · at step 5000 · …", and below it about what and since when.
std::string StandOf(const AlertNews& news) {
  const Alert& alert = news.alert;
  const Finding& finding = alert.finding;
  std::string stand;
  if (alert.state == AlertState::kFiring) {
    const std::string numbers = SlackClamp(KeyNumbersLine(finding), kNumbersLimit);
    const std::size_t first = HasInterval(finding) ? numbers.find(" · ") : 0;
    stand = first == 0
                ? numbers
                : Bold(numbers.substr(0, first)) + numbers.substr(std::min(first, numbers.size()));
    if (!stand.empty()) stand += "\n";
  }
  stand += fmt::format("{} {} · {} {}", finding.labels.contains("run") ? "run" : "run or family",
                       SlackClamp(finding.run, kRunLimit), alert.ends_at == 0 ? "since" : "fired",
                       SlackTime(alert.starts_at));
  if (alert.ends_at != 0) {
    stand += fmt::format(" · over {}, after {}", SlackTime(alert.ends_at), LastedText(alert));
  }
  const int told = news.delivery.repeat;
  if (told > 0) {
    stand += told == 1 ? " · told once before" : fmt::format(" · told {} times before", told);
  }
  return stand;
}

// Each with its reason below it. What leaves no room for the others is cut.
std::string ActionsOf(const Finding& finding) {
  std::string text;
  std::size_t left = kActionsLimit;
  for (std::size_t i = 0; i < finding.interventions.size(); ++i) {
    const Intervention& one = finding.interventions[i];
    const std::size_t share = left / (finding.interventions.size() - i) / 2;
    if (share < kLeastAction) {
      return text + fmt::format("\n• … {} more", finding.interventions.size() - i);
    }
    const std::string action = fmt::format("\n• {}\n{}", Bold(SlackClamp(one.action, share - 20)),
                                           SlackClamp(one.reason, share - 20));
    text += action;
    left -= std::min(left, SlackCost(action));
  }
  return text;
}

std::string LookOf(const Alert& alert) {
  std::string look = "*Look*\n" + SlackCode(LookCommand(alert.finding), kCommandLimit);
  if (!alert.is_test) {
    look += "\n" + SlackCode(WhyCommand(alert), kCommandLimit) +
            (alert.finding.interventions.empty()
                 ? " all that is known about it"
                 : " evidence, expected effect, and the reasons against");
  }
  if (!alert.is_test && alert.state == AlertState::kFiring) {
    look += "\n" + SlackCode(AcknowledgeCommand(alert), kCommandLimit) +
            " you look after it; it is not repeated";
  }
  const auto runbook = alert.finding.labels.find("runbook_url");
  if (runbook != alert.finding.labels.end()) {
    look += "\n" + SlackLink(runbook->second, "Runbook", kRunbookLimit);
  }
  return look;
}

std::string About(const Alert& alert) {
  return fmt::format("rule {} · alert {} · transition {}", alert.finding.rule,
                     alert.key.substr(0, kSlackKeyShown), alert.sequence);
}

}  // namespace

std::string SlackMessage::Members() const {
  JsonWriter fallback;
  fallback.Value(text);
  return fmt::format("\"text\":{},\"blocks\":[{}]", fallback.Text(), fmt::join(blocks, ","));
}

SlackMessage SlackMessageOfOne(const Notification& notification) {
  const AlertNews& news = notification.news.front();
  const Alert& alert = news.alert;
  const Finding& finding = alert.finding;
  const bool is_firing = alert.state == AlertState::kFiring;
  const std::string headline = HeadlineOf(news);
  SlackMessage message{.text = FallbackOf(news), .blocks = {}};
  std::vector<std::string>& blocks = message.blocks;
  blocks.push_back(SlackHeaderBlock(SlackPlain(headline, kSlackHeaderLimit)));
  if (alert.is_test) {
    blocks.push_back(SlackSectionBlock(
        "*This is a test message of couplingctl alerts test. Nothing is wrong.*"));
  }
  if (!FitsSlackPlain(headline, kSlackHeaderLimit)) {
    blocks.push_back(SlackSectionBlock(SlackClamp(finding.summary, kSummaryLimit)));
  }
  if (!is_firing) {
    blocks.push_back(
        SlackSectionBlock("*Over:* " + SlackClamp(alert.resolution, kResolutionLimit)));
  }
  blocks.push_back(SlackSectionBlock(StandOf(news)));
  if (is_firing && !finding.interventions.empty()) {
    blocks.push_back(SlackSectionBlock("*What to do*" + ActionsOf(finding)));
  }
  const std::size_t description_at = blocks.size();
  blocks.push_back(SlackSectionBlock(LookOf(alert)));
  blocks.push_back(SlackFooter(About(alert), notification.delivery_id));

  const std::vector<std::string> sections =
      SlackSections(is_firing ? "*Why*\n" : "*What had fired*\n", finding.description,
                    SlackRoom(message), SlackCode(WhyCommand(alert), 60) + " shows all");
  blocks.insert(blocks.begin() + static_cast<std::ptrdiff_t>(description_at), sections.begin(),
                sections.end());
  return message;
}

SlackMessage SlackReplyOf(const Notification& notification) {
  const AlertNews& news = notification.news.front();
  SlackMessage message{.text = FallbackOf(news), .blocks = {}};
  message.blocks.push_back(SlackSectionBlock(AlertSection(news, kSlackSectionLimit, true)));
  message.blocks.push_back(SlackFooter(About(news.alert), notification.delivery_id));
  return message;
}

SlackMessage SlackMessageOf(const Notification& notification) {
  if (notification.is_digest) return SlackDigest(notification);
  if (notification.news.size() > 1) return SlackMessageOfGroup(notification);
  return SlackMessageOfOne(notification);
}

std::string RenderSlack(const Notification& notification) {
  return "{" + SlackMessageOf(notification).Members() + "}";
}

}  // namespace couplingd
