#include "history/migrations.h"

#include <array>

#include "history/schema.h"

namespace couplingd {
namespace {

constexpr std::string_view kVersion1 = R"sql(
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  family TEXT NOT NULL,
  path TEXT NOT NULL,
  parameters REAL,
  d_model INTEGER,
  tokens_per_step REAL,
  generation INTEGER NOT NULL
) STRICT;

CREATE TABLE checkpoints (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs (id),
  generation INTEGER NOT NULL,
  step INTEGER NOT NULL,
  tokens REAL,
  parameters REAL,
  path TEXT NOT NULL,
  signature TEXT NOT NULL,
  weights_hash TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  discovered_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoints_by_step ON checkpoints (run_id, generation, step);
CREATE INDEX checkpoints_by_state ON checkpoints (state);

CREATE TABLE evaluations (
  id INTEGER PRIMARY KEY,
  checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id),
  key TEXT NOT NULL,
  series_key TEXT NOT NULL,
  pack TEXT NOT NULL,
  pack_hash TEXT NOT NULL,
  harness TEXT NOT NULL,
  device TEXT NOT NULL,
  dtype TEXT NOT NULL,
  plan_hash TEXT NOT NULL,
  scores_hash TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  UNIQUE (checkpoint_id, key)
) STRICT;

CREATE TABLE scores (
  evaluation_id INTEGER NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
  task TEXT NOT NULL,
  metric TEXT NOT NULL,
  value REAL NOT NULL,
  stderr REAL,
  n INTEGER,
  PRIMARY KEY (evaluation_id, task, metric)
) STRICT, WITHOUT ROWID;

CREATE TABLE couplings (
  id INTEGER PRIMARY KEY,
  recorded_at INTEGER NOT NULL,
  family TEXT NOT NULL,
  run TEXT NOT NULL,
  generation INTEGER NOT NULL,
  axes TEXT NOT NULL,
  over TEXT NOT NULL,
  at REAL NOT NULL,
  tokens REAL,
  gamma REAL,
  low REAL,
  high REAL,
  level REAL NOT NULL,
  phase TEXT NOT NULL,
  p_tax REAL,
  p_bonus REAL,
  method TEXT NOT NULL,
  n INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE INDEX couplings_by_place ON couplings (run, family, over, axes, generation, at);

CREATE TABLE forecasts (
  id INTEGER PRIMARY KEY,
  recorded_at INTEGER NOT NULL,
  family TEXT NOT NULL,
  run TEXT NOT NULL,
  axes TEXT NOT NULL,
  quantity TEXT NOT NULL,
  method TEXT NOT NULL,
  value REAL,
  low REAL,
  high REAL,
  level REAL NOT NULL,
  p_crossing REAL,
  horizon_low REAL NOT NULL,
  horizon_high REAL NOT NULL,
  n INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE INDEX forecasts_by_subject ON forecasts (run, family, axes, quantity, method);

CREATE TABLE alerts (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  state TEXT NOT NULL,
  starts_at INTEGER NOT NULL,
  ends_at INTEGER NOT NULL,
  is_test INTEGER NOT NULL,
  rule TEXT NOT NULL,
  kind TEXT NOT NULL,
  run TEXT NOT NULL,
  subject TEXT NOT NULL,
  active INTEGER NOT NULL,
  severity TEXT NOT NULL,
  summary TEXT NOT NULL,
  description TEXT NOT NULL,
  labels TEXT NOT NULL,         -- JSON object of texts
  numbers TEXT NOT NULL,        -- JSON object of numbers
  interventions TEXT NOT NULL,  -- JSON array of {kind, action, reason}
  resolution TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (key, sequence)
) STRICT;

CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY,
  delivery_id TEXT NOT NULL UNIQUE,
  sink TEXT NOT NULL,
  alert_key TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  next_attempt_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'superseded', 'dead')),
  last_outcome TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (sink, alert_key, sequence),
  FOREIGN KEY (alert_key, sequence) REFERENCES alerts (key, sequence)
) STRICT;
CREATE INDEX deliveries_by_state ON deliveries (state, next_attempt_at);

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  level TEXT NOT NULL,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  count INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_subject ON events (subject, id);
CREATE INDEX events_by_time ON events (at, id);

CREATE TABLE named_values (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

// Forecasts as distributions, and whether what they say has been passed.
constexpr std::string_view kVersion2 = R"sql(
ALTER TABLE forecasts ADD COLUMN low80 REAL;
ALTER TABLE forecasts ADD COLUMN high80 REAL;
ALTER TABLE forecasts ADD COLUMN p_passed REAL;
ALTER TABLE forecasts ADD COLUMN observed REAL;
)sql";

// Evidence of couplings for decisions that are repeated at every checkpoint.
constexpr std::string_view kVersion3 = R"sql(
ALTER TABLE couplings ADD COLUMN p_reasoning_rises REAL;
ALTER TABLE couplings ADD COLUMN p_below_tax REAL;
ALTER TABLE couplings ADD COLUMN p_above_tax REAL;
ALTER TABLE couplings ADD COLUMN p_below_bonus REAL;
ALTER TABLE couplings ADD COLUMN p_above_bonus REAL;
)sql";

// The training loss of runs.
constexpr std::string_view kVersion4 = R"sql(
CREATE TABLE losses (
  run_id INTEGER NOT NULL REFERENCES runs (id),
  generation INTEGER NOT NULL,
  step INTEGER NOT NULL,
  tokens REAL,
  loss REAL NOT NULL,
  source TEXT NOT NULL,
  PRIMARY KEY (run_id, generation, step)
) STRICT, WITHOUT ROWID;
)sql";

// What sinks are told and why: repeats, messages of several alerts, silences, acknowledgements,
// decisions.
constexpr std::string_view kVersion5 = R"sql(
CREATE TABLE new_deliveries (
  id INTEGER PRIMARY KEY,
  delivery_id TEXT NOT NULL UNIQUE,
  sink TEXT NOT NULL,
  alert_key TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  repeat INTEGER NOT NULL,
  alert_group TEXT NOT NULL,
  severity TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  next_attempt_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'superseded', 'dead')),
  message TEXT NOT NULL,  -- the message that carries it, once that was put together
  receipt TEXT NOT NULL,
  last_outcome TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (sink, alert_key, sequence, repeat),
  FOREIGN KEY (alert_key, sequence) REFERENCES alerts (key, sequence)
) STRICT;
INSERT INTO new_deliveries
  SELECT d.id, d.delivery_id, d.sink, d.alert_key, d.sequence, 0, a.rule || char(10) || a.run,
         a.severity, d.attempts, d.next_attempt_at, d.state, '', '', d.last_outcome, d.updated_at
  FROM deliveries d JOIN alerts a ON a.key = d.alert_key AND a.sequence = d.sequence;
DROP TABLE deliveries;
ALTER TABLE new_deliveries RENAME TO deliveries;
CREATE INDEX deliveries_by_state ON deliveries (state, next_attempt_at);
CREATE INDEX deliveries_by_alert ON deliveries (sink, alert_key, id);

CREATE TABLE silences (
  id INTEGER PRIMARY KEY,
  matchers TEXT NOT NULL,  -- JSON array of texts
  author TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  starts_at INTEGER NOT NULL,
  ends_at INTEGER NOT NULL,
  until_step INTEGER,
  ended_by TEXT NOT NULL
) STRICT;

CREATE TABLE acknowledgements (
  alert_key TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  author TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (alert_key, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  alert_key TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  sink TEXT NOT NULL,
  is_sent INTEGER NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_by_alert ON decisions (alert_key, sequence, sink, id);
)sql";

constexpr std::array<std::string_view, kSchemaVersion> kMigrations = {
    kVersion1, kVersion2, kVersion3, kVersion4, kVersion5};

}  // namespace

std::string_view Migration(std::int64_t from) {
  return kMigrations[static_cast<std::size_t>(from)];
}

}  // namespace couplingd
