#include "queries/replay_answer.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "alerts/lifecycle.h"
#include "alerts/rules.h"
#include "base/json.h"
#include "queries/rule_inputs.h"
#include "queries/score_evidence.h"

namespace couplingd {
namespace {

// What one transaction recorded carries times a little apart; rules saw it as a whole.
constexpr UnixMillis kOneTransaction = 1000;
constexpr UnixMillis kLeastTick = 60000;
constexpr UnixMillis kMostTicks = 60;  // between two recordings

struct Episode {
  std::string key;
  Finding finding;
  UnixMillis fired_at = 0;
  UnixMillis resolved_at = 0;  // 0: still firing
  std::string resolution;
  bool from_start = false;
};

std::vector<UnixMillis> Moments(std::vector<UnixMillis> times, const ReplayOptions& options) {
  std::vector<UnixMillis> moments = {options.since};
  for (std::size_t i = 0; i < times.size(); ++i) {
    const bool goes_on = i + 1 < times.size() && times[i + 1] - times[i] <= kOneTransaction;
    if (!goes_on && times[i] > options.since) moments.push_back(times[i]);
  }
  return moments;
}

bool DependsOnTime(const Config& config) {
  return std::ranges::any_of(config.rules, [](const RuleConfig& rule) {
    return rule.kind == "checkpoint_overdue" || rule.kind == "queue_growing" ||
           rule.kind == "sink_broken";
  });
}

class Replay {
 public:
  Replay(HistoryReader& history, const Config& config, const ReplayOptions& options)
      : history_(history),
        config_(config),
        options_(options),
        scope_(ScopeOf(config)),
        measurer_(history, config) {}

  Result<std::vector<Episode>> Run() {
    HistoryFilter range;
    range.since = options_.since;
    range.until = options_.until;
    const std::vector<UnixMillis> moments = Moments(TRY(history_.RecordedTimes(range)), options_);
    const std::vector<UnixMillis> scored = TRY(EvaluationTimes());
    const bool ticks = DependsOnTime(config_);
    auto next_scored = scored.begin();
    for (std::size_t i = 0; i < moments.size(); ++i) {
      const UnixMillis now = moments[i];
      RuleInputs inputs = TRY(GatherRuleInputs(history_, config_, now, /*as_of_then=*/true));
      const auto seen = std::upper_bound(next_scored, scored.end(), now);
      if (i == 0 || seen != next_scored) TRY(Measure(now));
      next_scored = seen;
      inputs.scores = scores_;
      Step(inputs, /*is_start=*/i == 0);
      const UnixMillis end = i + 1 < moments.size() ? moments[i + 1] : options_.until;
      if (ticks) Tick(inputs, end);
    }
    return std::move(episodes_);
  }

 private:
  Result<std::vector<UnixMillis>> EvaluationTimes() {
    HistoryFilter all;
    all.generation = 0;
    std::set<UnixMillis> times;
    for (const ScoreRow& row : TRY(history_.Scores(all))) times.insert(row.finished_at);
    return std::vector<UnixMillis>(times.begin(), times.end());
  }

  Status Measure(UnixMillis now) {
    HistoryFilter filter;
    filter.until = now;
    scores_ = TRY(measurer_.Measure(filter));
    return {};
  }

  void Tick(RuleInputs& inputs, UnixMillis end) {
    const UnixMillis every = std::max(kLeastTick, (end - inputs.now) / kMostTicks);
    for (UnixMillis now = inputs.now + every; now < end; now += every) {
      inputs.now = now;
      Step(inputs, /*is_start=*/false);
    }
  }

  void Step(const RuleInputs& inputs, bool is_start) {
    const std::vector<Finding> findings = EvaluateRules(config_.rules, inputs);
    for (Alert& alert : AlertTransitions(known_, findings, scope_, inputs.now)) {
      if (alert.state == AlertState::kFiring) {
        episodes_.push_back({.key = alert.key,
                             .finding = alert.finding,
                             .fired_at = inputs.now,
                             .from_start = is_start});
      } else if (alert.state == AlertState::kResolved) {
        const auto open = std::ranges::find_if(episodes_, [&](const Episode& one) {
          return one.key == alert.key && one.resolved_at == 0;
        });
        if (open != episodes_.end()) {
          open->resolved_at = inputs.now;
          open->resolution = alert.resolution;
        }
      }
      std::erase_if(known_, [&](const Alert& old) { return old.key == alert.key; });
      known_.push_back(std::move(alert));
    }
  }

  HistoryReader& history_;
  const Config& config_;
  const ReplayOptions& options_;
  const AlertScope scope_;
  ScoreMeasurer measurer_;
  ScoreEvidence scores_;
  std::vector<Alert> known_;  // the newest transition of every key
  std::vector<Episode> episodes_;
};

// What really fired, if any of it lies in the time asked for.
Result<std::vector<Episode>> RealEpisodes(HistoryReader& history, const ReplayOptions& options) {
  std::vector<Episode> episodes;
  std::map<std::string, std::size_t> open;
  HistoryFilter filter;
  filter.until = options.until;
  for (const Alert& alert : TRY(history.AlertLog(filter))) {
    if (alert.is_test) continue;
    if (alert.state == AlertState::kFiring) {
      open[alert.key] = episodes.size();
      episodes.push_back({.key = alert.key, .finding = alert.finding, .fired_at = alert.starts_at});
    } else if (const auto found = open.find(alert.key);
               found != open.end() && alert.state == AlertState::kResolved) {
      episodes[found->second].resolved_at = alert.ends_at;
      episodes[found->second].resolution = alert.resolution;
      open.erase(found);
    }
  }
  std::erase_if(episodes, [&](const Episode& one) {
    return one.resolved_at != 0 && one.resolved_at < options.since;
  });
  return episodes;
}

bool Overlap(const Episode& a, const Episode& b) {
  return (a.resolved_at == 0 || b.fired_at <= a.resolved_at) &&
         (b.resolved_at == 0 || a.fired_at <= b.resolved_at);
}

bool IsAbout(const Finding& finding, const std::string& run) {
  const auto family = finding.labels.find("family");
  return run.empty() || finding.run.empty() || finding.run == run ||
         (family != finding.labels.end() && family->second == run);
}

struct Row {
  const Episode* replayed = nullptr;
  const Episode* real = nullptr;
  UnixMillis At() const { return replayed ? replayed->fired_at : real->fired_at; }
};

std::vector<Row> Pair(const std::vector<Episode>& replayed, const std::vector<Episode>& real) {
  std::vector<Row> rows;
  std::set<const Episode*> taken;
  for (const Episode& one : replayed) {
    Row row{.replayed = &one};
    for (const Episode& other : real) {
      if (row.real || taken.contains(&other) || other.key != one.key || !Overlap(one, other)) {
        continue;
      }
      row.real = &other;
      taken.insert(&other);
    }
    rows.push_back(row);
  }
  for (const Episode& other : real) {
    if (!taken.contains(&other)) rows.push_back({.real = &other});
  }
  std::ranges::stable_sort(rows, {}, &Row::At);
  return rows;
}

std::optional<std::string> TimeOf(const Episode* episode, UnixMillis Episode::*time) {
  if (!episode || episode->*time == 0) return std::nullopt;
  return FormatTime(episode->*time);
}

void Write(JsonWriter& json, const Row& row, UnixMillis until) {
  const Episode& shown = row.replayed ? *row.replayed : *row.real;
  const Finding& finding = shown.finding;
  json.BeginObject().Field("rule", finding.rule).Field("kind", finding.kind);
  json.Field("run", finding.run).Field("subject", finding.subject);
  json.Field("severity", ToString(finding.severity)).Field("summary", finding.summary);
  json.Field("fired_at", TimeOf(row.replayed, &Episode::fired_at));
  json.Field("from_start", row.replayed && row.replayed->from_start);
  json.Field("resolved_at", TimeOf(row.replayed, &Episode::resolved_at));
  const UnixMillis end = shown.resolved_at ? shown.resolved_at : until;
  json.Field("seconds", static_cast<double>(end - shown.fired_at) / 1000);
  json.Field("resolution",
             shown.resolution.empty() ? std::nullopt : std::optional(shown.resolution));
  json.Field("really", !row.replayed ? "only" : row.real ? "too" : "not");
  json.Field("real_fired_at", TimeOf(row.real, &Episode::fired_at));
  json.Field("real_resolved_at", TimeOf(row.real, &Episode::resolved_at)).EndObject();
}

}  // namespace

Result<std::string> ReplayAlerts(HistoryReader& history, Config config,
                                 const ReplayOptions& options) {
  if (config.runs.empty()) {
    for (const Run& run : TRY(history.Runs())) {
      config.runs.push_back({.name = run.name, .family = run.family});
    }
  }
  std::vector<Episode> replayed = TRY(Replay(history, config, options).Run());
  std::vector<Episode> real = TRY(RealEpisodes(history, options));
  for (auto* episodes : {&replayed, &real}) {
    std::erase_if(*episodes,
                  [&](const Episode& one) { return !IsAbout(one.finding, options.run); });
  }
  JsonWriter json;
  json.BeginArray();
  for (const Row& row : Pair(replayed, real)) Write(json, row, options.until);
  return json.EndArray().Text();
}

}  // namespace couplingd
