#include "config/tables.h"

#include <fmt/format.h>

#include "config/alert_tables.h"
#include "config/notify_tables.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Complaint IsDevice(const std::string& text) {
  if (text == "auto" || text == "cpu" || text == "cuda" || text.starts_with("cuda:GPU-")) return {};
  if (text.starts_with("cuda:") && text.size() > 5 && text.size() <= 8 &&
      text.find_first_not_of("0123456789", 5) == std::string::npos) {
    return {};
  }
  return {{fmt::format("\"{}\" is not a device", text),
           "write auto, cpu, cuda:INDEX or cuda:GPU-UUID (couplingd-probe devices lists them)"}};
}

Complaint IsListenAddress(const std::string& text) {
  if (text == "none") return {};
  const std::size_t colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (colon != std::string::npos && colon > 0 && !port.empty() && port.size() <= 5 &&
      port.find_first_not_of("0123456789") == std::string::npos && std::stoi(port) <= 65535) {
    return {};
  }
  return {{fmt::format("\"{}\" is not an address", text),
           "write HOST:PORT such as 127.0.0.1:9464, or none"}};
}

const Table<StoreConfig>& StoreTable() {
  static const Table<StoreConfig> table = {{
      PathKey("path", &StoreConfig::path,
              "State directory (mode 0700): the database, score files, the lock and the socket."),
      DurationKey("keep_unfinished", &StoreConfig::keep_unfinished,
                  "What evaluations that were broken off have scored so far is kept so long, for "
                  "them to go on; not longer than their checkpoint is there.",
                  std::chrono::hours(1)),
  }};
  return table;
}

const Table<ServerConfig>& ServerTable() {
  static const Table<ServerConfig> table = {{
      PathKey("socket", &ServerConfig::socket,
              "Unix socket that couplingctl asks. Empty: couplingd.sock in the state directory."),
      TextKey("listen", &ServerConfig::listen,
              "Address of /metrics, /-/healthy and /-/ready over TCP; none switches it off.",
              IsListenAddress),
  }};
  return table;
}

const std::vector<std::pair<std::string_view, ScheduleKind>> kScheduleKinds = {
    {"every", ScheduleKind::kEvery},
    {"log", ScheduleKind::kLog},
    {"final", ScheduleKind::kFinal},
    {"adaptive", ScheduleKind::kAdaptive}};

std::string KindOf(const Schedule& schedule) {
  for (const auto& [word, kind] : kScheduleKinds) {
    if (kind == schedule.kind) return std::string(word);
  }
  return "";
}

const Table<Schedule>& ScheduleTable() {
  static const Table<Schedule> table = {
      .keys =
          {EnumKey(
               "kind", &Schedule::kind, kScheduleKinds,
               "every: each n-th checkpoint; log: evenly over the logarithm of the step; final: "
               "the last one, once the run has ended; adaptive: more where the sign of the "
               "coupling is open."),
           IntegerKey("every", &Schedule::every, "n of kind every.", 1).OnlyFor({"every"}),
           IntegerKey("points_per_decade", &Schedule::points_per_decade,
                      "Kind log: checkpoints per factor of ten in steps, at most.", 1, 1000)
               .OnlyFor({"log"})},
      .kind = KindOf};
  return table;
}

// One word, or a mapping with the details.
Key<RunConfig> ScheduleKey() {
  auto key = SectionKey("schedule", &RunConfig::schedule, &ScheduleTable,
                        "Which checkpoints are evaluated; what is left out is recorded with its "
                        "reason. One word (schedule: log) does for the kind alone.");
  key.read = [section = key.read](const YAML::Node& node, RunConfig& into, const Scope& scope) {
    if (!node.IsScalar()) return section(node, into, scope);
    YAML::Node mapping;
    mapping["kind"] = node;
    section(mapping, into, scope);
  };
  return key;
}

const Table<RunConfig>& RunTable() {
  static const Table<RunConfig> table = {{
      NameKey("name", &RunConfig::name, "Unique name of the run.").Required(),
      TextKey(
          "family", &RunConfig::family,
          "Groups the sizes of one recipe, over which the coupling over scale and N_c are taken. "
          "Empty: the run's name."),
      PathKey(
          "path", &RunConfig::path,
          "Directory that is watched: checkpoint-N, step-N, stepN, iter_N, global_stepN or epE-baN "
          "below it, or one bare model. Nothing is ever written there.")
          .Required(),
      ChoiceKey(
          "layout", &RunConfig::layout, {"auto", "trainer", "step", "model"},
          "How checkpoints lie there: auto (by their names), trainer (a Hugging Face Trainer's, "
          "complete once trainer_state.json is there), step (numbered directories without "
          "one), model (bare models)."),
      PathKey("model_config", &RunConfig::model_config,
              "config.json to use where checkpoints carry none. Empty: none."),
      PathKey("tokenizer", &RunConfig::tokenizer,
              "Directory with the tokenizer to use where checkpoints carry none. Empty: none."),
      CountKey("tokens_per_step", &RunConfig::tokens_per_step,
               "Tokens per training step (batch x sequence length), such as 2097152 or 2M. null: "
               "from the "
               "trainer's own files; without either there is no token axis."),
      CountKey("parameters", &RunConfig::parameters,
               "Size of the model, such as 1.4B. null: counted from the weights."),
      IntegerKey("d_model", &RunConfig::d_model,
                 "Width of the model. null: from the model's own config.json.", 1, 1 << 24),
      TextsKey("packs", &RunConfig::packs,
               "Item packs of this run in place of those for all runs. Empty: those for all runs."),
      ScheduleKey(),
      EnumKey<RunConfig, Preserve>(
          "preserve", &RunConfig::preserve,
          {{"none", Preserve::kNone}, {"hardlink", Preserve::kHardlink}, {"copy", Preserve::kCopy}},
          "Keep a checkpoint that the trainer would delete (save_total_limit) until it has been "
          "evaluated: none, hardlink (same file system), copy."),
      DurationKey("overdue_after", &RunConfig::overdue_after,
                  "No new checkpoint for so long is overdue. 0s: learned from the run's own pace.",
                  milliseconds(0)),
  }};
  return table;
}

// "task.metric" as one text.
Key<AxisPair> TaskMetricKey(std::string_view name, TaskMetric AxisPair::*member,
                            std::string_view doc) {
  return MakeKey(
      name, member, doc,
      [](const YAML::Node& node, const Scope& scope) -> std::optional<TaskMetric> {
        const auto text = ReadText(node, scope);
        if (!text) return std::nullopt;
        auto parsed = TaskMetric::Parse(*text);
        if (!parsed || text->find(',') != std::string::npos) {
          scope.Add(fmt::format("\"{}\" is not TASK.METRIC", *text),
                    "such as hellaswag.acc_norm or truthfulqa_mc2.acc");
          return std::nullopt;
        }
        return parsed;
      },
      [](const TaskMetric& axis) { return ShowText(axis.Text()); });
}

const Table<AxisPair>& AxisTable() {
  static const Table<AxisPair> table = {
      .keys = {NameKey("name", &AxisPair::name, "Unique name of the pair.").Required(),
               TaskMetricKey("reasoning", &AxisPair::reasoning, "The capability that grows.")
                   .Required(),
               TaskMetricKey("truthfulness", &AxisPair::truthfulness,
                             "The capability whose change per change of the first is the coupling.")
                   .Required(),
               NumberKey("level", &AxisPair::level, "Level of the intervals.", 0.5, 0.999)},
      .check = [](const AxisPair& axes, const Scope& scope) {
        if (axes.name.find_first_of(",.") != std::string::npos) {
          scope.Add("a pair's name must not contain a dot or a comma",
                    "those write the pair itself: hellaswag.acc_norm,truthfulqa_mc2.acc");
        }
        if (!axes.reasoning.task.empty() && axes.reasoning == axes.truthfulness) {
          scope.Add("both axes are the same");
        }
      }};
  return table;
}

const Table<WatchConfig>& WatchTable() {
  static const Table<WatchConfig> table = {{
      DurationKey("scan_interval", &WatchConfig::scan_interval,
                  "How often a new checkpoint is looked at until it is ready.", milliseconds(50)),
      DurationKey("full_scan_interval", &WatchConfig::full_scan_interval,
                  "How often every checkpoint is looked at, not only the newest 8.", seconds(1)),
      DurationKey("quiet_local", &WatchConfig::quiet_local,
                  "Files must have been unchanged for so long, on a local file system.",
                  milliseconds(0)),
      DurationKey("quiet_network", &WatchConfig::quiet_network,
                  "The same on NFS, Lustre, CIFS and FUSE, which show changes late.",
                  milliseconds(0)),
      FlagKey("follow_symlinks", &WatchConfig::follow_symlinks,
              "Follow links that lead out of the run's directory."),
  }};
  return table;
}

std::optional<ItemBudget> ReadBudget(const YAML::Node& node, const Scope& scope) {
  const auto text = ReadText(node, scope);
  if (!text) return std::nullopt;
  Result<ItemBudget> budget = ParseItemBudget(*text);
  if (budget) return *budget;
  scope.Add(budget.error().message, budget.error().hint);
  return std::nullopt;
}

const Table<EvaluationConfig>& EvaluationTable() {
  static const Table<EvaluationConfig> table = {
      .keys =
          {
              TextKey("device", &EvaluationConfig::device,
                      "auto (an idle GPU, else the CPU), cpu, cuda:INDEX or cuda:GPU-UUID.",
                      IsDevice),
              ChoiceKey("dtype", &EvaluationConfig::dtype, {"auto", "fp32", "bf16", "fp16"},
                        "Computation: auto (the weights' own type on a GPU, fp32 on a CPU), fp32, "
                        "bf16, fp16."),
              ChoiceKey("bos", &EvaluationConfig::bos, {"auto", "true", "false"},
                        "Begin contexts with the tokenizer's BOS: auto (as its own files say), "
                        "true, false."),
              IntegerKey("threads", &EvaluationConfig::threads,
                         "CPU threads. 0: half of the cores, at least one.", 0, 4096),
              IntegerKey("token_budget", &EvaluationConfig::token_budget,
                         "Tokens that are forwarded at once. 0: chosen for the device.", 0,
                         1 << 24),
              SizeKey(
                  "memory_limit", &EvaluationConfig::memory_limit,
                  "Most memory of the GPU, or of RAM on a CPU, such as 8GiB. null: what is free."),
              MakeKey(
                  "budget", &EvaluationConfig::budget,
                  "Evaluate a seeded subset of every task, the same for all checkpoints of a run: "
                  "500items of each, or as many as the run's first evaluation can ask in 60s. "
                  "null: "
                  "all items.",
                  ReadBudget, FormatItemBudget),
              IntegerKey("seed", &EvaluationConfig::seed, "Draws that subset.", 0,
                         std::numeric_limits<std::int64_t>::max()),
              FlagKey("internals", &EvaluationConfig::internals,
                      "Look inside too: layer coupling, competing heads and the dimension of "
                      "hidden states "
                      "become scores of the task internals:PROTOCOL, as couplingctl internals "
                      "shows them."),
              DurationKey("timeout", &EvaluationConfig::timeout, "Longest time for one evaluation.",
                          seconds(1)),
              FlagKey("warm_worker", &EvaluationConfig::warm_worker,
                      "Keep the worker process for the next checkpoint of the same run (not of "
                      "runs that "
                      "preserve): libtorch stays loaded, and about 600 MiB of the GPU stay taken. "
                      "It is "
                      "ended after ten minutes without work, on any failure and when its memory "
                      "grows."),
              IntegerKey("attempts", &EvaluationConfig::attempts,
                         "Failed attempts after which a checkpoint is put aside as failed.", 1,
                         100),
              ChoiceKey("order", &EvaluationConfig::order, {"newest", "oldest"},
                        "Which waiting checkpoint comes next: newest or oldest."),
          },
      .instead = {{"limit_items", "write budget: with a number such as 500items"}}};
  return table;
}

const Table<ExecutorConfig>& ExecutorTable() {
  static const Table<ExecutorConfig> table = {
      .keys = {ChoiceKey("kind", &ExecutorConfig::kind, {"local", "command"},
                         "local: couplingd-probe on this machine; command: a program of your own."),
               IntegerKey("concurrency", &ExecutorConfig::concurrency, "Evaluations at once.", 1,
                          64),
               TextsKey("command", &ExecutorConfig::command,
                        "Kind command: program and arguments that stand in for couplingd-probe.")
                   .OnlyFor({"command"})},
      .kind = [](const ExecutorConfig& executor) { return executor.kind; },
      .check =
          [](const ExecutorConfig& executor, const Scope& scope) {
            if (executor.kind == "command" && executor.command.empty()) {
              scope.Add("kind command needs the key \"command\"",
                        "such as command: [ssh, gpu1, couplingd-probe]");
            }
          }};
  return table;
}

const Table<PhaseBounds>& BoundsTable() {
  static const Table<PhaseBounds> table = {
      .keys = {NumberKey("tax", &PhaseBounds::tax, "A coupling below it is a tax.", -1e6, 1e6),
               NumberKey("bonus", &PhaseBounds::bonus, "A coupling above it is a bonus.", -1e6,
                         1e6)},
      .check = [](const PhaseBounds& bounds, const Scope& scope) {
        if (bounds.tax > bounds.bonus) scope.Add("tax lies above bonus");
      }};
  return table;
}

const Table<CouplingConfig>& CouplingTable() {
  static const Table<CouplingConfig> table = {{
      IntegerKey("window", &CouplingConfig::window,
                 "Checkpoints that a coupling over steps is taken from.", 3, 1000),
      NumberKey("min_decades", &CouplingConfig::min_decades,
                "Decades of tokens that the window must span at least.", 0, 10),
      IntegerKey("replicates", &CouplingConfig::replicates, "Bootstrap replicates.", 100, 1000000),
      ChoiceKey("match", &CouplingConfig::match, {"tokens", "tokens_per_parameter", "final"},
                "How the sizes of a family are matched: at equal tokens, tokens_per_parameter, or "
                "final."),
      SectionKey("bounds", &CouplingConfig::bounds, &BoundsTable,
                 "Between the two lies the transition."),
  }};
  return table;
}

}  // namespace

const Table<Config>& ConfigTable() {
  static const Table<Config> table = {
      .keys =
          {
              SectionKey("store", &Config::store, &StoreTable, "Where the history lives."),
              SectionKey("server", &Config::server, &ServerTable, "Who may ask, and where."),
              ListKey("runs", &Config::runs, &RunTable, "The training runs that are watched."),
              TextsKey("packs", &Config::packs,
                       "Item packs: directories or files (couplingctl pack build makes them), or "
                       "names below "
                       "<store.path>/packs. "
                       "Every checkpoint "
                       "is evaluated on all of them."),
              ListKey("axes", &Config::axes, &AxisTable,
                      "Pairs of capabilities whose coupling is tracked. None: the pair below."),
              SectionKey("watch", &Config::watch, &WatchTable, "How directories are watched."),
              SectionKey("evaluation", &Config::evaluation, &EvaluationTable,
                         "How checkpoints are evaluated."),
              SectionKey("executor", &Config::executor, &ExecutorTable,
                         "Where they are evaluated."),
              SectionKey("coupling", &Config::coupling, &CouplingTable,
                         "How couplings are estimated."),
              ListKey("rules", &Config::rules, &RuleTable,
                      "What raises alerts. None: the rules below, one of each kind."),
              ListKey("sinks", &Config::sinks, &SinkTable, "Where alerts are delivered."),
              SectionKey("notify", &Config::notify, &NotifyTable,
                         "When and how often they are delivered."),
              ListKey("inhibitions", &Config::inhibitions, &InhibitionTable,
                      "Which alerts are held back while others fire. None: the one below."),
              SectionKey("heartbeat", &Config::heartbeat, &HeartbeatTable,
                         "A dead man's switch: this address is called while all goes well, and "
                         "whoever is there raises the alarm when the calls stay away."),
              ChoiceKey("log_level", &Config::log_level,
                        {"trace", "debug", "info", "warn", "error"},
                        "trace, debug, info, warn or error."),
          },
      .instead = {{"rule", "did you mean \"rules\"?"}, {"database", "write store: {path: …}"}}};
  return table;
}

std::vector<AxisPair> DefaultAxes() {
  return {{.name = "default",
           .reasoning = {"hellaswag", "acc_norm"},
           .truthfulness = {"truthfulqa_mc2", "acc"}}};
}

std::vector<RuleConfig> DefaultRules() {
  std::vector<RuleConfig> rules;
  for (const std::string kind : {"phase", "sign_change", "score_regression", "axis_spent",
                                 "dimension_collapse", "evaluation_failing", "checkpoint_overdue",
                                 "bad_checkpoint", "queue_growing", "sink_broken"}) {
    RuleConfig& rule = rules.emplace_back();
    rule.name = kind == "phase" ? "tax" : kind;
    rule.kind = kind;
    if (kind == "axis_spent" || kind == "dimension_collapse") rule.severity = Severity::kInfo;
  }
  return rules;
}

}  // namespace couplingd
