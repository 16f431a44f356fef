#include <fmt/format.h>

#include "history/reader.h"
#include "history/rows.h"

namespace couplingd {
namespace {

// Drops what does not concern the filter's task and metric, then what lies beyond its limit.
template <typename T, typename AxesOf>
void KeepMatching(std::vector<T>& rows, const HistoryFilter& filter, AxesOf axes_of) {
  std::erase_if(rows, [&](const T& row) { return !MatchesAxes(filter, axes_of(row)); });
  if (filter.limit > 0 && rows.size() > static_cast<std::size_t>(filter.limit)) {
    rows.erase(rows.begin() + filter.limit, rows.end());
  }
}

Conditions AlertConditions(const HistoryFilter& filter) {
  Conditions conditions;
  conditions.AddText("a.run = ?", filter.run);
  if (!filter.family.empty()) {
    conditions.Add("(a.run = ? OR a.run IN (SELECT name FROM runs WHERE family = ?))",
                   filter.family, filter.family);
  }
  conditions.AddBound("a.updated_at >= ?", filter.since);
  conditions.AddBound("a.updated_at <= ?", filter.until);
  return conditions;
}

}  // namespace

Result<std::vector<CouplingEstimate>> SqlReader::Couplings(const HistoryFilter& filter) {
  Conditions conditions;
  conditions.AddText("c.run = ?", filter.run);
  conditions.AddText("c.family = ?", filter.family);
  if (!filter.generation) {
    conditions.Add(
        "c.generation = coalesce((SELECT generation FROM runs WHERE name = c.run), "
        "c.generation)");
  } else if (*filter.generation != 0) {
    conditions.Add("c.generation = ?", std::int64_t{*filter.generation});
  }
  if (filter.min_step || filter.max_step) conditions.Add("c.over = 'steps'");
  conditions.AddBound("c.at >= ?", filter.min_step);
  conditions.AddBound("c.at <= ?", filter.max_step);
  conditions.AddBound("c.tokens >= ?", filter.min_tokens);
  conditions.AddBound("c.tokens <= ?", filter.max_tokens);
  conditions.AddBound("c.recorded_at >= ?", filter.since);
  conditions.AddBound("c.recorded_at <= ?", filter.until);
  // Beside max(), the other columns are those of the row that holds the maximum (SQLite, "bare
  // columns").
  Statement statement = TRY(connection_.Prepare(fmt::format(
      "SELECT {}, max(c.id) FROM couplings c{} "
      "GROUP BY c.run, iif(c.run = '', c.family, ''), c.generation, c.axes, c.over, c.at "
      "ORDER BY c.at, c.family, c.run, c.generation, c.axes, c.over",
      kCouplingColumns, conditions.where())));
  statement.BindAll(conditions.values());
  std::vector<CouplingEstimate> estimates = TRY(ReadAll(statement, ReadCoupling));
  KeepMatching(estimates, filter, [](const CouplingEstimate& row) { return row.axes; });
  return estimates;
}

Result<std::vector<LookCount>> SqlReader::Looks(std::optional<UnixMillis> until) {
  Conditions conditions;
  conditions.AddBound("recorded_at <= ?", until);
  // A row was the newest when it was written where no earlier one lies beyond it.
  Statement statement = TRY(connection_.Prepare(
      fmt::format("SELECT family, run, generation, axes, over, count(*) FROM "
                  "(SELECT *, max(at) OVER (PARTITION BY run, iif(run = '', family, ''), "
                  "generation, axes, over ORDER BY id) AS newest FROM couplings{}) "
                  "WHERE at = newest AND p_below_tax IS NOT NULL "
                  "GROUP BY run, iif(run = '', family, ''), generation, axes, over "
                  "ORDER BY family, run, generation, axes, over",
                  conditions.where())));
  statement.BindAll(conditions.values());
  return ReadAll(statement, ReadLookCount);
}

Result<std::vector<Forecast>> SqlReader::Forecasts(const HistoryFilter& filter) {
  Conditions conditions;
  conditions.AddText("f.run = ?", filter.run);
  conditions.AddText("f.family = ?", filter.family);
  conditions.AddBound("f.recorded_at >= ?", filter.since);
  conditions.AddBound("f.recorded_at <= ?", filter.until);
  Statement statement = TRY(connection_.Prepare(
      fmt::format("SELECT {}, max(f.id) FROM forecasts f{} "
                  "GROUP BY f.run, iif(f.run = '', f.family, ''), f.axes, f.quantity, f.method "
                  "ORDER BY f.family, f.run, f.axes, f.quantity, f.method",
                  kForecastColumns, conditions.where())));
  statement.BindAll(conditions.values());
  std::vector<Forecast> forecasts = TRY(ReadAll(statement, ReadForecast));
  KeepMatching(forecasts, filter, [](const Forecast& row) { return row.axes; });
  return forecasts;
}

Result<std::vector<Alert>> SqlReader::Alerts(const HistoryFilter& filter) {
  const Conditions conditions = AlertConditions(filter);
  Statement statement = TRY(
      connection_.Prepare(fmt::format("SELECT {} FROM (SELECT a.key, max(a.sequence) AS newest "
                                      "FROM alerts a{} GROUP BY a.key) n "
                                      "JOIN alerts a ON a.key = n.key AND a.sequence = n.newest "
                                      "ORDER BY a.state <> 'firing', a.id DESC",
                                      kAlertColumns, conditions.where())));
  statement.BindAll(conditions.values());
  std::vector<Alert> alerts = TRY(ReadAll(statement, ReadAlert));
  KeepMatching(alerts, filter, [](const Alert& row) { return row.finding.subject; });
  return alerts;
}

Result<std::optional<Alert>> SqlReader::FindAlert(const std::string& key, std::int64_t sequence) {
  Statement statement = TRY(connection_.Prepare(
      fmt::format("SELECT {} FROM alerts a WHERE a.key = ? AND a.sequence = ?", kAlertColumns)));
  statement.Bind(key, sequence);
  return ReadOne(statement, ReadAlert);
}

Result<std::vector<Alert>> SqlReader::AlertLog(const HistoryFilter& filter) {
  const Conditions conditions = AlertConditions(filter);
  Statement statement = TRY(connection_.Prepare(
      fmt::format("SELECT {} FROM alerts a{} ORDER BY a.id", kAlertColumns, conditions.where())));
  statement.BindAll(conditions.values());
  std::vector<Alert> alerts = TRY(ReadAll(statement, ReadAlert));
  KeepMatching(alerts, filter, [](const Alert& row) { return row.finding.subject; });
  return alerts;
}

Result<std::vector<UnixMillis>> SqlReader::RecordedTimes(const HistoryFilter& filter) {
  Conditions conditions;
  conditions.AddBound("at >= ?", filter.since);
  conditions.AddBound("at <= ?", filter.until);
  Statement statement = TRY(connection_.Prepare(fmt::format(
      "SELECT DISTINCT at FROM (SELECT discovered_at AS at FROM checkpoints UNION "
      "SELECT updated_at FROM checkpoints UNION SELECT finished_at FROM evaluations UNION "
      "SELECT recorded_at FROM couplings UNION SELECT recorded_at FROM forecasts UNION "
      "SELECT updated_at FROM alerts UNION SELECT updated_at FROM deliveries){} ORDER BY at",
      conditions.where())));
  statement.BindAll(conditions.values());
  std::vector<UnixMillis> times;
  while (TRY(statement.Step())) statement.Read(times.emplace_back());
  return times;
}

Result<std::vector<Event>> SqlReader::Events(std::int64_t limit) {
  Statement statement = TRY(connection_.Prepare(
      fmt::format("SELECT {} FROM events ORDER BY at DESC, id DESC LIMIT ?", kEventColumns)));
  statement.Bind(SqlLimit(limit));
  return ReadAll(statement, ReadEvent);
}

Result<std::optional<std::string>> SqlReader::Value(const std::string& key) {
  Statement statement = TRY(connection_.Prepare("SELECT value FROM named_values WHERE key = ?"));
  statement.Bind(key);
  if (!TRY(statement.Step())) return std::nullopt;
  std::string value;
  statement.Read(value);
  return value;
}

}  // namespace couplingd
