// The configuration as typed values. One YAML file; every key has its default here and stands with
// a comment in couplingd.example.yaml. Secrets are references (a file or "credential:NAME"), never
// values.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "records/alert.h"
#include "records/coupling.h"
#include "records/item_budget.h"
#include "records/matcher.h"

namespace couplingd {

struct StoreConfig {
  std::string path = "/var/lib/couplingd";  // state directory: database, score files, lock, socket
  // What evaluations that were broken off have scored so far is kept so long.
  std::chrono::milliseconds keep_unfinished{std::chrono::days(7)};
};

struct ServerConfig {
  std::string socket;  // Unix socket of the API; empty: <store.path>/couplingd.sock
  std::string listen = "127.0.0.1:9464";  // metrics and health over TCP; "none" switches it off
};

enum class ScheduleKind { kEvery, kLog, kFinal, kAdaptive };

// Which checkpoints are evaluated when not all can or should be.
struct Schedule {
  ScheduleKind kind = ScheduleKind::kEvery;
  int every = 1;              // kEvery: each n-th checkpoint in order of steps
  int points_per_decade = 8;  // kLog: at most so many per factor of ten in steps
};

enum class Preserve { kNone, kHardlink, kCopy };

struct RunConfig {
  std::string name;             // unique
  std::string family;           // groups the sizes of one recipe; empty: the run's name
  std::string path;             // watched directory
  std::string layout = "auto";  // auto, trainer, step, model
  std::string model_config;     // config.json to use where checkpoints carry none
  std::string tokenizer;        // directory to use where checkpoints carry none
  std::optional<double> tokens_per_step;
  std::optional<double> parameters;  // overrides what is counted from the weights
  std::optional<int> d_model;
  std::vector<std::string>
      packs;  // instead of Config::packs; never empty after loading if those are not
  Schedule schedule;
  Preserve preserve = Preserve::kNone;
  std::chrono::milliseconds overdue_after{0};  // 0: learned from the run's own pace
};

struct EvaluationConfig {
  std::string device = "auto";                // auto, cpu, cuda:INDEX, cuda:GPU-uuid
  std::string dtype = "auto";                 // auto, fp32, bf16, fp16
  std::string bos = "auto";                   // auto, true, false
  int threads = 0;                            // 0: half of the cores, at least one
  int token_budget = 0;                       // tokens forwarded at once; 0: chosen for the device
  std::optional<std::uint64_t> memory_limit;  // bytes of GPU memory, or of RAM on a CPU
  bool internals = false;                     // look inside every checkpoint too
  // A seeded subset of each task, the same for the whole run; absent: all items. What a time means
  // in items is decided by the run's first evaluation.
  std::optional<ItemBudget> budget;
  std::uint64_t seed = 1;
  std::chrono::milliseconds timeout{std::chrono::hours(6)};
  bool warm_worker = false;      // keep the worker process between the checkpoints of a run
  int attempts = 3;              // then the checkpoint is put aside as failed
  std::string order = "newest";  // newest, oldest
};

struct ExecutorConfig {
  std::string kind = "local";  // local, command
  int concurrency = 1;         // evaluations at once
  std::vector<std::string>
      command;  // kind command: program and arguments that stand in for couplingd-probe
};

struct WatchConfig {
  std::chrono::milliseconds scan_interval{1000};  // a candidate is looked at so often
  std::chrono::milliseconds full_scan_interval{600000};
  std::chrono::milliseconds quiet_local{5000};     // files unchanged so long on a local file system
  std::chrono::milliseconds quiet_network{60000};  // … on NFS, Lustre, CIFS, FUSE
  bool follow_symlinks = false;                    // links that lead out of the run's directory
};

struct CouplingConfig {
  int window = 8;                // checkpoints
  double min_decades = 0.25;     // of tokens that the window must span
  int replicates = 2000;         // bootstrap
  std::string match = "tokens";  // over scale: tokens, tokens_per_parameter, final
  PhaseBounds bounds;
};

// What watches for what; fields that a kind does not use are refused by validation.
struct RuleConfig {
  std::string name;
  std::string kind;  // phase, sign_change, score_regression, axis_spent, …: alerts/rules.h
  std::vector<std::string> runs;  // names of runs and families; empty: all
  std::string axes;               // kinds about axis pairs: name of one; empty: all of them
  // score_regression, dimension_collapse: TASK.METRIC; empty: those of the axes
  std::vector<std::string> metrics;
  std::string phase = "tax";  // phase: the phase whose being there is the alert
  // phase: expected false alarms per 1,000 checkpoints of one run (looks at one family) and axis
  // pair; score_regression: of one run and metric. And how many sigmas the evidence must lie beyond
  // what that asks, to fire and to resolve
  double false_alarm_rate = 0.01;
  double margin = 0;
  double probability = 0.95;  // sign_change: P(crossing)
  // Checkpoints of a run in a row before it fires, and before it resolves; 0: the kind's own
  int hold = 0;
  double min_drop = 0.01;   // score_regression: a fall of no more is none
  double ceiling = 1;       // axis_spent: a score that reaches it has nothing left to gain
  double threshold = 1.02;  // dimension_collapse: d_eff
  double horizon =
      10;  // sign_change: fires if the crossing lies within this factor of the largest N or D
  int failures = 1;                    // evaluation_failing: checkpoints put aside in a row
  std::chrono::milliseconds after{0};  // queue_growing, sink_broken; 0: the kind's own
  Severity severity = Severity::kWarning;
  Severity nan_severity = Severity::kCritical;  // bad_checkpoint: where weights or logits are NaN
  std::map<std::string, std::string> labels;    // beside those that every alert has
  std::string summary;  // instead of the rule's own; fields: records/annotation.h
  std::string note;     // after the description; the same fields
  std::string runbook;  // URL shown with the alert
  // It has to hold for so long before the alert fires; until then the alert is pending.
  std::chrono::milliseconds hold_for{0};
};

struct SinkConfig {
  std::string name;
  std::string kind;         // webhook, slack, slack_bot, alertmanager, email, command,
                            // file
  std::string url_file;     // file or "credential:NAME" that holds the URL; alertmanager: several
  std::string secret_file;  // webhook: file or "credential:NAME" that holds the signing secrets
                            // (whsec_…); empty: unsigned
  std::string token_file;   // slack_bot, alertmanager: file or "credential:NAME" that holds the
                            // bot's or the bearer token
  std::string channel;      // slack_bot: where the bot posts
  std::string from;         // email: address
  std::vector<std::string> to;       // email: addresses
  std::vector<std::string> command;  // command: program and arguments
  std::string path;                  // file: what lines are appended to
  std::string ca_file;
  std::string proxy_file;  // file or "credential:NAME" that holds the proxy's URL; empty: direct
  std::chrono::milliseconds timeout{15000};
  bool allow_private = false;  // the URL may lead to loopback or private addresses
  std::vector<Matcher> match;  // only alerts whose labels match all of them
  std::string fallback;        // name of the sink that is told what this one cannot be told
  bool standby = false;        // is told only as somebody's fallback
};

// When and how often sinks are told.
struct NotifyConfig {
  std::chrono::milliseconds group_wait{10000};  // others of the same run and rule may join so long
  std::chrono::milliseconds repeat_interval{std::chrono::hours(24)};  // 0: never
  int storm = 100;  // more alerts than these waiting for a sink become one digest
  std::chrono::milliseconds fallback_after{std::chrono::minutes(15)};
  std::chrono::milliseconds longest_silence{std::chrono::days(7)};
  bool inhibit = true;
};

// While an alert that matches `source` fires, those that match `target` and have the same values of
// the labels `equal`, which both must have, are held back.
struct InhibitionConfig {
  std::vector<Matcher> source;
  std::vector<Matcher> target;
  std::vector<std::string> equal;
};

// A dead man's switch: someone outside who raises the alarm when nothing is heard of the daemon.
struct HeartbeatConfig {
  std::string url_file;  // file or "credential:NAME" that holds the URL; empty: no heartbeat
  std::chrono::milliseconds interval{300000};
  std::string method = "POST";  // POST, GET
  std::string ca_file;
  std::string proxy_file;
  std::chrono::milliseconds timeout{15000};
  bool allow_private = false;
};

struct Config {
  std::string source;  // path of the file
  StoreConfig store;
  ServerConfig server;
  std::vector<RunConfig> runs;
  std::vector<std::string>
      packs;  // directories or files of item packs; a bare name is one below <store.path>/packs
  std::vector<AxisPair> axes;  // empty: hellaswag.acc_norm × truthfulqa_mc2.acc, named "default"
  WatchConfig watch;
  EvaluationConfig evaluation;
  ExecutorConfig executor;
  CouplingConfig coupling;
  std::vector<RuleConfig> rules;  // empty: one of every kind with its defaults
  std::vector<SinkConfig> sinks;
  NotifyConfig notify;
  std::vector<InhibitionConfig> inhibitions;  // empty: DefaultInhibitions()
  HeartbeatConfig heartbeat;
  std::string log_level = "info";  // trace, debug, info, warn, error

  std::string SocketPath() const;    // server.socket or its default
  std::string DatabasePath() const;  // <store.path>/history.db
};

// Reads and validates. An unknown key, a wrong type, a value out of range, a duplicate name, a
// reference to something not defined is kInvalidData: "FILE:LINE: runs[0].schedule: …" with a hint;
// all problems of the file are listed, one a line. Relative paths are taken from the file's folder.
// Paths named need not exist yet.
Result<Config> LoadConfig(const std::string& path);
Result<Config> ParseConfig(const std::string& yaml, const std::string& source);

// The same over another configuration: what the file has replaces what that one has, its lists as
// wholes. A file may hold `rules:` alone; they are checked against the axes and runs of the other.
Result<Config> LoadConfigOver(const Config& base, const std::string& path);

// Beyond LoadConfig: what has to be there now (run directories, packs, secret files), one line per
// problem, empty if none.
std::vector<std::string> CheckEnvironment(const Config& config);

// A commented configuration that watches `directory`, made from what lies there (layout, steps,
// sizes, tokens per step where the trainer's own files tell); the text passes ParseConfig. `packs`
// are listed as they stand.
Result<std::string> ProposeConfig(const std::string& directory, const std::string& store_path,
                                  const std::vector<std::string>& packs = {});

}  // namespace couplingd
