#include "config/notify_tables.h"

namespace couplingd {

using std::chrono::milliseconds;

std::optional<std::vector<Matcher>> ReadMatchers(const YAML::Node& node, const Scope& scope) {
  const auto texts = ReadTexts(node, scope);
  if (!texts) return std::nullopt;
  std::vector<Matcher> matchers;
  for (const std::string& text : *texts) {
    auto matcher = Matcher::Parse(text);
    if (!matcher) {
      scope.Add(matcher.error().message, matcher.error().hint);
      return std::nullopt;
    }
    matchers.push_back(std::move(*matcher));
  }
  return matchers;
}

std::string ShowMatchers(const std::vector<Matcher>& matchers) {
  std::vector<std::string> texts;
  for (const Matcher& matcher : matchers) texts.push_back(matcher.Text());
  return ShowTexts(texts);
}

const Table<NotifyConfig>& NotifyTable() {
  static const Table<NotifyConfig> table = {{
      DurationKey("group_wait", &NotifyConfig::group_wait,
                  "So long an alert waits for others of the same run and rule, to go in one "
                  "message. A critical one does not wait.",
                  milliseconds(0)),
      DurationKey("repeat_interval", &NotifyConfig::repeat_interval,
                  "A sink is told again of what still fires, unless somebody acknowledged it "
                  "(couplingctl alerts ack). 0s: never.",
                  milliseconds(0)),
      IntegerKey("storm", &NotifyConfig::storm,
                 "More alerts than these waiting for one sink go into one digest; critical ones "
                 "go first and by themselves.",
                 1, 100000),
      DurationKey("fallback_after", &NotifyConfig::fallback_after,
                  "What a sink could not be told for so long goes to its fallback.",
                  milliseconds(0)),
      DurationKey("longest_silence", &NotifyConfig::longest_silence,
                  "No silence lasts longer; one without an end of its own lasts so long.",
                  std::chrono::minutes(1)),
      FlagKey("inhibit", &NotifyConfig::inhibit, "Apply the inhibitions below."),
  }};
  return table;
}

const Table<InhibitionConfig>& InhibitionTable() {
  static const Table<InhibitionConfig> table = {
      .keys = {MatchersKey("source", &InhibitionConfig::source,
                           "While an alert with such labels fires …")
                   .Required(),
               MatchersKey("target", &InhibitionConfig::target,
                           "… alerts with such labels are held back …")
                   .Required(),
               TextsKey("equal", &InhibitionConfig::equal,
                        "… if both carry these labels, with the same values.")},
      .check = [](const InhibitionConfig& inhibition, const Scope& scope) {
        if (inhibition.source.empty() || inhibition.target.empty()) {
          scope.Add("source and target need a condition each",
                    "such as source: [kind=bad_checkpoint]");
        }
      }};
  return table;
}

std::vector<InhibitionConfig> DefaultInhibitions() {
  InhibitionConfig inhibition;
  inhibition.source.push_back(*Matcher::Parse("kind=~bad_checkpoint|evaluation_failing"));
  inhibition.target.push_back(
      *Matcher::Parse("kind=~phase|sign_change|score_regression|axis_spent|dimension_collapse"));
  inhibition.equal = {"run"};
  return {inhibition};
}

}  // namespace couplingd
