// Several alerts of one run and rule. Each gets an equal share of what the frame leaves, so that
// kMostAlertsInSlackMessage of them always fit.
#include <fmt/format.h>

#include <algorithm>

#include "alerts/slack_parts.h"
#include "alerts/slack_text.h"

namespace couplingd {
namespace {

constexpr std::size_t kActionLimit = 500;
constexpr std::size_t kNameLimit = 100;

// The action that all that fire have in common, to be said once; empty if there is none.
std::string CommonAction(const std::vector<const AlertNews*>& news) {
  const std::string action = FirstAction(*news.front());
  const bool is_common = std::ranges::all_of(news, [&](const AlertNews* each) {
    return each->alert.state != AlertState::kFiring || FirstAction(*each) == action;
  });
  return is_common ? action : "";
}

std::string RunbookOf(const Finding& finding) {
  const auto runbook = finding.labels.find("runbook_url");
  if (runbook == finding.labels.end()) return "";
  return "\n" + SlackLink(runbook->second, "Runbook", 300);
}

}  // namespace

SlackMessage SlackMessageOfGroup(const Notification& notification) {
  const std::vector<const AlertNews*> news = GravestFirst(notification);
  const Finding& first = news.front()->alert.finding;
  const std::string headline =
      fmt::format("{} {} ({}): {}, rule {}", SlackMark(*news.front()), CountsText(news),
                  ToString(first.severity), first.run, first.rule);
  SlackMessage message{.text = SlackClamp(fmt::format("{}. The first: {}", headline, first.summary),
                                          kSlackFallbackLimit),
                       .blocks = {SlackHeaderBlock(SlackPlain(headline, kSlackHeaderLimit))}};
  std::vector<std::string>& blocks = message.blocks;
  const std::string action = CommonAction(news);
  if (!action.empty()) {
    blocks.push_back(SlackSectionBlock("*To do:* " + SlackClamp(action, kActionLimit)));
  }
  const std::size_t alerts_at = blocks.size();
  blocks.push_back(SlackSectionBlock(
      fmt::format("*Look*\n{}{}", SlackCode(LookCommand(first), 300), RunbookOf(first))));
  blocks.push_back(SlackFooter(
      fmt::format("rule {} · {} alerts", SlackPlain(first.rule, kNameLimit), news.size()),
      notification.delivery_id));

  const std::size_t overhead = SlackSectionBlock("").size() + 1;
  const std::size_t share = SlackRoom(message) / news.size() - overhead;
  std::vector<std::string> sections;
  for (const AlertNews* each : news) {
    sections.push_back(SlackSectionBlock(AlertSection(*each, share, action.empty())));
  }
  blocks.insert(blocks.begin() + static_cast<std::ptrdiff_t>(alerts_at), sections.begin(),
                sections.end());
  return message;
}

}  // namespace couplingd
