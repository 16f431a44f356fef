#include "alerts/slack_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "alerts/key_numbers.h"
#include "alerts/slack_text.h"

namespace couplingd {
namespace {

constexpr std::size_t kFooterLimit = 500;

bool IsFiring(const AlertNews& news) { return news.alert.state == AlertState::kFiring; }

// Lines of one section, each within what the earlier ones left.
class Lines {
 public:
  explicit Lines(std::size_t limit) : left_(limit) {}

  std::size_t left() const { return left_; }
  void Reserve(std::size_t cost) { left_ -= std::min(left_, cost); }
  // `before` and `after` are escaped, the text is not. The line costs at most `most`.
  void Add(const std::string& before, std::string_view text, const std::string& after,
           std::size_t most) {
    constexpr std::size_t kLeastText = 34;  // of the note alone
    const std::size_t frame = SlackCost(before) + SlackCost(after) + 2;
    most = std::min(most, left_);
    if (text.empty() || most < frame + kLeastText) return;
    const std::string line = before + SlackClamp(text, most - frame) + after;
    left_ -= std::min(left_, SlackCost(line) + 2);
    text_ += (text_.empty() ? "" : "\n") + line;
  }
  std::string Text(const std::string& last) const { return text_ + "\n" + last; }

 private:
  std::size_t left_;
  std::string text_;
};

}  // namespace

std::string SlackMark(const AlertNews& news) {
  if (news.alert.is_test) return "🧪";
  if (!IsFiring(news)) return "✅";
  switch (news.alert.finding.severity) {
    case Severity::kCritical:
      return "🔴";
    case Severity::kWarning:
      return "🟠";
    case Severity::kInfo:
      return "🔵";
  }
  return "🔵";
}

std::string WhyCommand(const Alert& alert) {
  return "couplingctl alerts why " + alert.key.substr(0, kSlackKeyShown);
}

std::string AcknowledgeCommand(const Alert& alert) {
  return "couplingctl alerts ack " + alert.key.substr(0, kSlackKeyShown);
}

std::string FirstAction(const AlertNews& news) {
  const auto& interventions = news.alert.finding.interventions;
  return IsFiring(news) && !interventions.empty() ? interventions.front().action : "";
}

std::vector<const AlertNews*> GravestFirst(const Notification& notification) {
  std::vector<const AlertNews*> order;
  for (const AlertNews& news : notification.news) order.push_back(&news);
  std::ranges::stable_sort(order, [](const AlertNews* a, const AlertNews* b) {
    if (IsFiring(*a) != IsFiring(*b)) return IsFiring(*a);
    return a->alert.finding.severity > b->alert.finding.severity;
  });
  return order;
}

std::string CountsText(const std::vector<const AlertNews*>& news) {
  std::map<std::string_view, int> counts;
  std::vector<std::string_view> order;
  for (const AlertNews* each : news) {
    const std::string_view word = StateWord(*each);
    if (counts[word]++ == 0) order.push_back(word);
  }
  std::string text;
  for (const std::string_view word : order) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", counts[word], word);
  }
  return text;
}

std::string AlertSection(const AlertNews& news, std::size_t limit, bool with_action) {
  const Alert& alert = news.alert;
  const std::string last =
      fmt::format("{} {} · {}", IsFiring(news) ? "since" : "fired", SlackTime(alert.starts_at),
                  SlackCode(WhyCommand(alert), 60));
  Lines lines(std::min(limit, kSlackSectionLimit));
  lines.Reserve(SlackCost(last) + 2);
  lines.Add(fmt::format("{} *{} ({})* ", SlackMark(news), StateWord(news),
                        ToString(alert.finding.severity)),
            alert.finding.summary, "", lines.left() * 55 / 100);
  if (IsFiring(news)) {
    const std::string action = with_action ? FirstAction(news) : "";
    const std::size_t share = action.empty() ? lines.left() : lines.left() / 2;
    const std::string& detail =
        HasInterval(alert.finding) ? KeyNumbersLine(alert.finding) : alert.finding.description;
    lines.Add("", detail, "", share);
    lines.Add("*To do:* ", action, "", lines.left());
  } else {
    lines.Add("*Over:* ", alert.resolution, "", lines.left());
  }
  return lines.Text(last);
}

std::string SlackFooter(const std::string& about, const std::string& delivery_id) {
  return SlackContextBlock(
      SlackClamp(fmt::format("couplingd · delivery {} · {}", delivery_id, about), kFooterLimit));
}

std::size_t SlackRoom(const SlackMessage& message) {
  const std::size_t used = message.Members().size() + 2;
  return kSlackMessageLimit - std::min(kSlackMessageLimit, used);
}

}  // namespace couplingd
