#include "alerts/notification_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "records/matcher.h"

namespace couplingd {
namespace {

// A resolved alert is looked at for so long: until then every sink has a delivery of it or a
// decision.
constexpr UnixMillis kResolvedLooked = 24 * 3600 * 1000;

struct Hold {
  std::string reason, detail;
};

bool HasEqual(const std::vector<std::string>& names, const Labels& a, const Labels& b) {
  return std::ranges::all_of(names, [&](const std::string& name) {
    const auto in_a = a.find(name), in_b = b.find(name);
    return in_a != a.end() && in_b != b.end() && in_a->second == in_b->second;
  });
}

// A firing alert that holds others back.
struct Source {
  const InhibitionConfig* inhibition;
  const Alert* alert;
  Labels labels;
};

std::vector<Source> SourcesIn(const std::vector<Alert>& alerts, const Config& config) {
  std::vector<Source> sources;
  if (!config.notify.inhibit) return sources;
  for (const Alert& alert : alerts) {
    if (alert.state != AlertState::kFiring || alert.is_test) continue;
    const Labels labels = MatchLabels(alert.finding);
    for (const InhibitionConfig& inhibition : config.inhibitions) {
      if (MatchesAll(inhibition.source, labels)) sources.push_back({&inhibition, &alert, labels});
    }
  }
  return sources;
}

bool Inhibits(const Source& source, const Alert& alert, const Labels& target) {
  const InhibitionConfig& inhibition = *source.inhibition;
  // What is source and target alike would hold back itself and its like.
  return source.alert->key != alert.key && MatchesAll(inhibition.target, target) &&
         !MatchesAll(inhibition.source, target) &&
         HasEqual(inhibition.equal, source.labels, target);
}

class Policy {
 public:
  Policy(const NotificationState& state, const Config& config, UnixMillis now)
      : state_(state), config_(config), now_(now), sources_(SourcesIn(state.alerts, config)) {
    for (const SinkLedger& ledger : state.ledgers) {
      ledgers_[{ledger.sink, ledger.alert_key}] = &ledger;
    }
    for (const Acknowledgement& each : state.acknowledgements) {
      acknowledged_.insert({each.alert_key, each.sequence});
    }
  }

  std::vector<NotificationStep> Decide() {
    for (const Alert& alert : state_.alerts) {
      const bool is_old =
          alert.state == AlertState::kResolved && alert.ends_at + kResolvedLooked < now_;
      if (alert.is_test || alert.state == AlertState::kPending || is_old) continue;
      const std::optional<Hold> held = WhyHeld(alert);
      for (const SinkConfig& sink : config_.sinks) {
        if (alert.state == AlertState::kFiring) {
          JudgeFiring(alert, sink, held);
        } else {
          JudgeResolved(alert, sink, held);
        }
      }
    }
    return std::move(steps_);
  }

 private:
  const SinkLedger* LedgerOf(const std::string& sink, const Alert& alert) const {
    const auto found = ledgers_.find({sink, alert.key});
    return found == ledgers_.end() ? nullptr : found->second;
  }

  std::optional<Hold> WhyHeld(const Alert& alert) const {
    for (const Silence& silence : state_.silences) {
      if (!IsSilenced(silence, alert, state_, now_)) continue;
      return Hold{"silenced",
                  fmt::format("silence {} of {} until {}: {}", silence.id, silence.author,
                              FormatTime(silence.ends_at), silence.reason)};
    }
    if (sources_.empty()) return std::nullopt;
    const Labels target = MatchLabels(alert.finding);
    for (const Source& source : sources_) {
      if (!Inhibits(source, alert, target)) continue;
      return Hold{"inhibited", fmt::format("by {} of {} ({})", source.alert->finding.rule,
                                           source.alert->finding.run, source.alert->key)};
    }
    return std::nullopt;
  }

  // The sink that this one is told in place of; nullptr where it is told nothing so.
  const SinkConfig* StandsInFor(const SinkConfig& sink, const Alert& alert) const {
    for (const SinkConfig& other : config_.sinks) {
      if (other.fallback != sink.name) continue;
      const SinkLedger* ledger = LedgerOf(other.name, alert);
      if (!ledger || ledger->newest_repeat > 0) continue;
      const bool is_dead =
          ledger->newest_state == "dead" && ledger->newest_sequence == alert.sequence;
      const bool is_late = ledger->newest_state == "pending" && ledger->waits_since > 0 &&
                           now_ >= ledger->waits_since + config_.notify.fallback_after.count();
      if (is_dead || is_late) return &other;
    }
    return nullptr;
  }

  void JudgeFiring(const Alert& alert, const SinkConfig& sink, const std::optional<Hold>& held) {
    const SinkLedger* ledger = LedgerOf(sink.name, alert);
    if (ledger && ledger->newest_sequence == alert.sequence) {
      return JudgeAgain(alert, sink, *ledger, held);
    }
    const SinkConfig* absent = StandsInFor(sink, alert);
    if (!absent && sink.standby) return KeepBack(alert, sink, {"standby", ""});
    if (!absent && !MatchesAll(sink.match, MatchLabels(alert.finding))) {
      return KeepBack(alert, sink, {"not matched", ""});
    }
    if (held) return KeepBack(alert, sink, *held);
    const bool waits = alert.finding.severity != Severity::kCritical && !absent;
    const UnixMillis at = alert.starts_at + config_.notify.group_wait.count();
    Send(alert, sink, 0, waits ? std::max(now_, at) : now_, absent ? "fallback" : "fired",
         absent ? "for " + absent->name : "");
  }

  // The sink has a delivery of this firing already.
  void JudgeAgain(const Alert& alert, const SinkConfig& sink, const SinkLedger& ledger,
                  const std::optional<Hold>& held) {
    if (ledger.newest_state == "pending" && !ledger.newest_attempted && held) {
      KeepBack(alert, sink, *held, ledger.newest_id);
    }
    const UnixMillis interval = config_.notify.repeat_interval.count();
    if (ledger.newest_state != "delivered" || held || interval == 0) return;
    if (acknowledged_.contains({alert.key, alert.sequence})) return;
    if (now_ < ledger.newest_updated_at + interval) return;
    Send(alert, sink, ledger.newest_repeat + 1, now_, "still firing", "");
  }

  void JudgeResolved(const Alert& alert, const SinkConfig& sink, const std::optional<Hold>& held) {
    const SinkLedger* ledger = LedgerOf(sink.name, alert);
    if (ledger && ledger->newest_sequence == alert.sequence) return;
    const SinkConfig* absent = StandsInFor(sink, alert);
    if (ledger && ledger->known_sequence > 0 && ledger->known_state == AlertState::kFiring) {
      return Send(alert, sink, 0, now_, "resolved", "");
    }
    if (absent) return Send(alert, sink, 0, now_, "fallback", "for " + absent->name);
    const bool waits = ledger && ledger->newest_fires && ledger->newest_state == "pending" &&
                       !ledger->newest_attempted;
    if (!waits) return KeepBack(alert, sink, {"never told", ""});
    if (held) return KeepBack(alert, sink, *held, ledger->newest_id);
    Send(alert, sink, 0, now_, "fired and resolved", "");
  }

  NotificationStep& Step(const Alert& alert, const SinkConfig& sink) {
    NotificationStep& step = steps_.emplace_back();
    step.decision.at = now_;
    step.decision.alert_key = alert.key;
    step.decision.sequence = alert.sequence;
    step.decision.sink = sink.name;
    return step;
  }

  void Send(const Alert& alert, const SinkConfig& sink, int repeat, UnixMillis at,
            std::string reason, std::string detail) {
    NotificationStep& step = Step(alert, sink);
    step.decision.is_sent = true;
    step.decision.reason = std::move(reason);
    step.decision.detail = std::move(detail);
    Delivery& delivery = step.add.emplace();
    delivery.sink = sink.name;
    delivery.alert_key = alert.key;
    delivery.sequence = alert.sequence;
    delivery.repeat = repeat;
    delivery.group = GroupOf(alert.finding);
    delivery.severity = alert.finding.severity;
    delivery.next_attempt_at = at;
  }

  void KeepBack(const Alert& alert, const SinkConfig& sink, Hold hold,
                std::optional<std::int64_t> withdraw = std::nullopt) {
    NotificationStep& step = Step(alert, sink);
    step.withdraw = withdraw;
    step.decision.reason = std::move(hold.reason);
    step.decision.detail = std::move(hold.detail);
  }

  const NotificationState& state_;
  const Config& config_;
  const UnixMillis now_;
  const std::vector<Source> sources_;
  std::map<std::pair<std::string, std::string>, const SinkLedger*> ledgers_;
  std::set<std::pair<std::string, std::int64_t>> acknowledged_;
  std::vector<NotificationStep> steps_;
};

}  // namespace

std::vector<NotificationStep> DecideNotifications(const NotificationState& state,
                                                  const Config& config, UnixMillis now) {
  return Policy(state, config, now).Decide();
}

std::map<std::string, std::string> MatchLabels(const Finding& finding) {
  Labels labels = finding.labels;
  labels.insert({{"rule", finding.rule},
                 {"kind", finding.kind},
                 {"subject", finding.subject},
                 {"severity", std::string(ToString(finding.severity))},
                 {"about", finding.run}});
  return labels;
}

bool IsSilenced(const Silence& silence, const Alert& alert, const NotificationState& state,
                UnixMillis now) {
  if (now < silence.starts_at || now >= silence.ends_at || !silence.ended_by.empty()) return false;
  const Labels labels = MatchLabels(alert.finding);
  if (silence.until_step) {
    const auto run = labels.find("run");
    const auto step =
        run == labels.end() ? state.latest_step.end() : state.latest_step.find(run->second);
    if (step != state.latest_step.end() && step->second >= *silence.until_step) return false;
  }
  return std::ranges::all_of(silence.matchers, [&](const std::string& text) {
    const auto matcher = Matcher::Parse(text);
    return matcher && matcher->Matches(labels);
  });
}

std::string GroupOf(const Finding& finding) {
  return fmt::format("{}\n{}", finding.rule, finding.run);
}

}  // namespace couplingd
