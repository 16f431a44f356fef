#include "queries/rule_inputs.h"

#include <algorithm>
#include <map>

namespace couplingd {
namespace {

// How the checkpoint looked at `now`; nullopt where it had not been found yet.
std::optional<Checkpoint> AsOf(Checkpoint checkpoint, UnixMillis now) {
  if (checkpoint.discovered_at > now) return std::nullopt;
  if (checkpoint.updated_at <= now) return checkpoint;
  checkpoint.state = CheckpointState::kQueued;
  checkpoint.reason.clear();
  checkpoint.updated_at = checkpoint.discovered_at;
  return checkpoint;
}

Result<WatchedRun> Watch(HistoryReader& history, const RunConfig& config, const Run& run,
                         UnixMillis now, bool as_of_then) {
  HistoryFilter filter;
  filter.run = run.name;
  filter.generation = 0;  // an alert about a checkpoint of an earlier generation has to end, too
  WatchedRun seen{.name = run.name, .family = run.family, .generation = run.generation};
  const std::optional<std::string> ended = TRY(history.Value("ended:" + run.name));
  seen.alive = !ended || (as_of_then && *ended > FormatTime(now));
  seen.overdue_after = config.overdue_after;
  seen.checkpoints = TRY(history.Checkpoints(filter));
  if (!as_of_then) return seen;
  std::vector<Checkpoint> then;
  int generation = 1;
  for (Checkpoint& checkpoint : seen.checkpoints) {
    std::optional<Checkpoint> as_it_was = AsOf(std::move(checkpoint), now);
    if (!as_it_was) continue;
    generation = std::max(generation, as_it_was->generation);
    then.push_back(std::move(*as_it_was));
  }
  seen.checkpoints = std::move(then);
  seen.generation = generation;
  return seen;
}

void SetLargest(std::map<std::string, double>& largest, const std::string& key,
                const std::optional<double>& value) {
  if (!value) return;
  double& entry = largest[key];
  entry = std::max(entry, *value);
}

bool HasRule(const Config& config, std::string_view kind) {
  return std::ranges::find(config.rules, kind, &RuleConfig::kind) != config.rules.end();
}

// When deliveries were put into the outbox: the decision to tell the sink says so.
class OutboxTimes {
 public:
  explicit OutboxTimes(HistoryReader& history) : history_(history) {}

  Result<UnixMillis> Of(const Delivery& delivery) {
    auto decisions = by_key_.find(delivery.alert_key);
    if (decisions == by_key_.end()) {
      decisions =
          by_key_.emplace(delivery.alert_key, TRY(history_.Decisions(delivery.alert_key))).first;
    }
    UnixMillis at = 0;
    for (const NotificationDecision& decision : decisions->second) {
      const bool is_of_it = decision.is_sent && decision.sink == delivery.sink &&
                            decision.sequence == delivery.sequence;
      if (is_of_it) at = std::max(at, decision.at);  // that of the newest repeat
    }
    return at > 0 ? at : delivery.updated_at;
  }

 private:
  HistoryReader& history_;
  std::map<std::string, std::vector<NotificationDecision>> by_key_;
};

// The newest answer, an error before an acknowledgement.
struct LastAnswer {
  UnixMillis at = 0;
  bool failed = false;

  void Take(const Delivery& delivery, std::string& outcome) {
    const bool is_failure = delivery.state != "delivered" && delivery.attempts > 0;
    if (delivery.last_outcome.empty() || (failed && !is_failure)) return;
    if (failed == is_failure && delivery.updated_at < at) return;
    at = delivery.updated_at;
    failed = is_failure;
    outcome = delivery.last_outcome;
  }
};

Result<SinkHealth> SinkOf(const std::string& name, const std::vector<Delivery>& deliveries,
                          OutboxTimes& times, UnixMillis now) {
  SinkHealth sink{.name = name};
  LastAnswer last;
  std::vector<UnixMillis> given_up;
  for (const Delivery& delivery : deliveries) {
    if (delivery.sink != name) continue;
    const bool is_known = delivery.updated_at <= now;  // else it stands in a later state by now
    if (!is_known || delivery.state == "pending") {
      const UnixMillis created = TRY(times.Of(delivery));
      if (created > now) continue;
      ++sink.pending;
      if (sink.oldest_pending_at == 0 || created < sink.oldest_pending_at) {
        sink.oldest_pending_at = created;
      }
    }
    if (!is_known) continue;
    if (delivery.state == "delivered") {
      sink.last_delivered_at = std::max(sink.last_delivered_at, delivery.updated_at);
    }
    if (delivery.state == "dead") given_up.push_back(delivery.updated_at);
    last.Take(delivery, sink.last_outcome);
  }
  sink.dead = static_cast<int>(
      std::ranges::count_if(given_up, [&](UnixMillis at) { return at > sink.last_delivered_at; }));
  return sink;
}

Result<std::vector<SinkHealth>> SinksOf(HistoryReader& history, const Config& config,
                                        UnixMillis now) {
  OutboxTimes times(history);
  const std::vector<Delivery> deliveries = TRY(history.Deliveries(""));
  std::vector<SinkHealth> sinks;
  for (const SinkConfig& sink : config.sinks) {
    sinks.push_back(TRY(SinkOf(sink.name, deliveries, times, now)));
  }
  return sinks;
}

}  // namespace

Result<RuleInputs> GatherRuleInputs(HistoryReader& history, const Config& config, UnixMillis now,
                                    bool as_of_then) {
  RuleInputs inputs;
  inputs.now = now;
  for (const RunConfig& run_config : config.runs) {
    const std::optional<Run> run = TRY(history.FindRun(run_config.name));
    if (run) inputs.runs.push_back(TRY(Watch(history, run_config, *run, now, as_of_then)));
  }
  inputs.axes = config.axes;
  inputs.bounds = config.coupling.bounds;
  HistoryFilter filter;
  if (as_of_then) {
    filter.until = now;
    filter.generation = 0;
  }
  inputs.couplings = TRY(history.Couplings(filter));
  inputs.looks = TRY(history.Looks(filter.until));
  inputs.forecasts = TRY(history.Forecasts(filter));
  for (const Run& run : TRY(history.Runs())) {
    SetLargest(inputs.largest_parameters, run.family, run.parameters);
  }
  for (const WatchedRun& run : inputs.runs) {
    for (const Checkpoint& checkpoint : run.checkpoints) {
      SetLargest(inputs.latest_tokens, run.name, checkpoint.tokens);
    }
  }
  if (HasRule(config, "sink_broken")) inputs.sinks = TRY(SinksOf(history, config, now));
  return inputs;
}

void SetAdvice(RuleInputs& inputs, const Advice& advice) {
  const auto advise = [advice](const auto& subject) {
    const auto found =
        advice.find({subject.run.empty() ? subject.family : subject.run, subject.axes});
    return found == advice.end() ? std::vector<Intervention>() : found->second;
  };
  inputs.advise_coupling = advise;
  inputs.advise_forecast = advise;
  inputs.advise_axes = advise;
}

}  // namespace couplingd
