// A storm in one message: how much of what and where, and the gravest in full.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "alerts/slack_parts.h"
#include "alerts/slack_text.h"

namespace couplingd {
namespace {

constexpr std::size_t kMostRules = 7;
constexpr std::size_t kMostRunsOfARule = 5;
constexpr std::size_t kNameLimit = 60;
constexpr std::size_t kLeadLimit = 400;
constexpr std::size_t kAlertLimit = 560;
constexpr std::size_t kFurtherLimit = 900;

using NewsList = std::vector<const AlertNews*>;

struct Part {
  std::string name;
  NewsList news;  // in the order of the whole
};

// By what they belong to, in the order of the first of each.
std::vector<Part> Parts(const NewsList& news, std::string Finding::*member) {
  std::vector<Part> parts;
  std::map<std::string, std::size_t> index;
  for (const AlertNews* each : news) {
    const std::string& name = each->alert.finding.*member;
    const auto [found, is_new] = index.emplace(name, parts.size());
    if (is_new) parts.push_back({name, {}});
    parts[found->second].news.push_back(each);
  }
  return parts;
}

std::string Counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// "in 38 runs: pythia-1b 12, web-64 9 and 36 runs more".
std::string RunsText(const NewsList& news) {
  std::vector<Part> runs = Parts(news, &Finding::run);
  std::ranges::stable_sort(runs, std::ranges::greater{},
                           [](const Part& run) { return run.news.size(); });
  std::string text = fmt::format("in {}: ", Counted(runs.size(), "run"));
  for (std::size_t i = 0; i < std::min(runs.size(), kMostRunsOfARule); ++i) {
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", SlackPlain(runs[i].name, kNameLimit),
                        runs[i].news.size());
  }
  if (runs.size() > kMostRunsOfARule) {
    text += fmt::format(" and {} more", Counted(runs.size() - kMostRunsOfARule, "run"));
  }
  return text;
}

// How many of the rule and where, and the gravest of them.
std::string RuleSection(const Part& rule) {
  const std::string lead = SlackClamp(fmt::format("{}: {} {}", SlackPlain(rule.name, kNameLimit),
                                                  CountsText(rule.news), RunsText(rule.news)),
                                      kLeadLimit);
  return SlackSectionBlock(fmt::format("*Rule* {}\n{}{}", lead,
                                       rule.news.size() == 1 ? "" : "_The gravest of them:_\n",
                                       AlertSection(*rule.news.front(), kAlertLimit, true)));
}

// Those that have no section of their own.
std::string FurtherRules(const std::vector<Part>& rules) {
  std::string text = "*Further rules:* ";
  for (std::size_t i = kMostRules; i < rules.size(); ++i) {
    const std::string part =
        SlackEscape(fmt::format("{}{} {}", i == kMostRules ? "" : ", ",
                                SlackPlain(rules[i].name, kNameLimit), rules[i].news.size()));
    if (SlackCost(text) + SlackCost(part) > kFurtherLimit) {
      std::size_t alerts = 0;
      for (std::size_t k = i; k < rules.size(); ++k) alerts += rules[k].news.size();
      return text + fmt::format(" and {} more with {}", rules.size() - i, Counted(alerts, "alert"));
    }
    text += part;
  }
  return text;
}

std::string SeveritiesText(const NewsList& news) {
  std::string text;
  for (const Severity severity : {Severity::kCritical, Severity::kWarning, Severity::kInfo}) {
    const auto count = std::ranges::count_if(
        news, [&](const AlertNews* each) { return each->alert.finding.severity == severity; });
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, ToString(severity));
  }
  return text;
}

// Lists all of them, from the one that fired first.
std::string ListCommand(const NewsList& news) {
  const AlertNews* first = *std::ranges::min_element(
      news, {}, [](const AlertNews* each) { return each->alert.starts_at; });
  return fmt::format("couplingctl alerts --since {}Z",
                     FormatTime(first->alert.starts_at).substr(0, 19));
}

}  // namespace

SlackMessage SlackDigest(const Notification& notification) {
  const NewsList news = GravestFirst(notification);
  const std::vector<Part> rules = Parts(news, &Finding::rule);
  const std::size_t runs = Parts(news, &Finding::run).size();
  const std::string headline = fmt::format(
      "{} {} at once: {}, of {} in {}", SlackMark(*news.front()), Counted(news.size(), "alert"),
      CountsText(news), Counted(rules.size(), "rule"), Counted(runs, "run"));
  SlackMessage message{.text = SlackClamp(fmt::format("{}. The gravest: {}", headline,
                                                      news.front()->alert.finding.summary),
                                          kSlackFallbackLimit),
                       .blocks = {SlackHeaderBlock(SlackPlain(headline, kSlackHeaderLimit))}};
  std::vector<std::string>& blocks = message.blocks;
  const std::size_t shown = std::min(rules.size(), kMostRules);
  for (std::size_t i = 0; i < shown; ++i) blocks.push_back(RuleSection(rules[i]));
  if (shown < rules.size()) blocks.push_back(SlackSectionBlock(FurtherRules(rules)));
  blocks.push_back(SlackSectionBlock(
      fmt::format("*By severity:* {}. {} of {} {} shown; all: {}", SeveritiesText(news), shown,
                  news.size(), shown == 1 ? "is" : "are", SlackCode(ListCommand(news), 100))));
  blocks.push_back(SlackFooter(fmt::format("digest of {}", Counted(news.size(), "alert")),
                               notification.delivery_id));
  return message;
}

}  // namespace couplingd
