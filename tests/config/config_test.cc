#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"

namespace couplingd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string ErrorOf(const std::string& yaml) {
  const auto config = ParseConfig(yaml, "/etc/couplingd/couplingd.yaml");
  return config ? "accepted" : config.error().Text();
}

TEST(Config, AnEmptyFileHasTheDefaults) {
  const auto config = ParseConfig("", "/etc/couplingd/couplingd.yaml");
  ASSERT_TRUE(config) << config.error().Text();
  EXPECT_EQ(config->SocketPath(), "/var/lib/couplingd/couplingd.sock");
  EXPECT_EQ(config->DatabasePath(), "/var/lib/couplingd/history.db");
  ASSERT_EQ(config->axes.size(), 1u);
  EXPECT_EQ(config->axes[0].reasoning.Text(), "hellaswag.acc_norm");
  EXPECT_EQ(config->axes[0].truthfulness.Text(), "truthfulqa_mc2.acc");
  ASSERT_EQ(config->rules.size(), 10u);
  EXPECT_EQ(config->rules[0].kind, "phase");
}

TEST(Config, ReadsEverySpelling) {
  const auto config = ParseConfig(R"(
store: {path: state}
runs:
  - {name: a, path: ../runs/a, tokens_per_step: 2M, parameters: 1.4B, schedule: log, preserve: hardlink}
  - name: b
    family: pair
    path: /runs/b
    schedule: {kind: every, every: 5}
    overdue_after: 1h30m
packs: [packs/arc, truthfulqa]
axes:
  - {name: x, reasoning: arc_easy.acc, truthfulness: crows_pairs_english.unstereotyped, level: 0.9}
evaluation: {memory_limit: 8GiB, budget: 100items, timeout: 90s, bos: true, device: "cuda:1"}
coupling: {bounds: {tax: -0.2}}
rules:
  - {name: r, kind: phase, axes: x, severity: critical}
sinks:
  - {name: s, kind: slack, url_file: "credential:slack"}
  - {name: t, kind: webhook, url_file: secrets/url, proxy_file: "credential:proxy"}
  - {name: u, kind: alertmanager, url_file: urls, token_file: token, allow_private: true}
  - {name: v, kind: email, url_file: smtp, from: us@example.org, to: [a@example.org, b@example.org]}
  - {name: w, kind: command, command: [page-someone, --now]}
  - {name: x, kind: file, path: alerts.jsonl}
heartbeat: {url_file: ping, interval: 1m, method: GET}
)",
                                  "/etc/couplingd/couplingd.yaml");
  ASSERT_TRUE(config) << config.error().Text();
  EXPECT_EQ(config->store.path, "/etc/couplingd/state");
  EXPECT_EQ(config->runs[0].path, "/etc/runs/a");
  EXPECT_EQ(config->runs[0].family, "a");
  EXPECT_EQ(config->runs[0].tokens_per_step, 2e6);
  EXPECT_EQ(config->runs[0].parameters, 1.4e9);
  EXPECT_EQ(config->runs[0].schedule.kind, ScheduleKind::kLog);
  EXPECT_EQ(config->runs[0].preserve, Preserve::kHardlink);
  EXPECT_EQ(config->runs[1].schedule.every, 5);
  EXPECT_EQ(config->runs[1].overdue_after, std::chrono::minutes(90));
  EXPECT_EQ(config->packs[0], "/etc/couplingd/packs/arc");
  EXPECT_EQ(config->packs[1], "/etc/couplingd/state/packs/truthfulqa");
  EXPECT_EQ(config->runs[0].packs, config->packs);
  EXPECT_EQ(config->axes[0].level, 0.9);
  EXPECT_EQ(config->evaluation.memory_limit, 8ull << 30);
  EXPECT_EQ(config->evaluation.budget, ItemBudget{.items = 100});
  EXPECT_EQ(config->evaluation.bos, "true");
  EXPECT_EQ(config->coupling.bounds.tax, -0.2);
  EXPECT_EQ(config->rules[0].severity, Severity::kCritical);
  EXPECT_EQ(config->sinks[0].url_file, "credential:slack");
  EXPECT_EQ(config->sinks[1].url_file, "/etc/couplingd/secrets/url");
  EXPECT_EQ(config->sinks[1].proxy_file, "credential:proxy");
  EXPECT_EQ(config->sinks[2].token_file, "/etc/couplingd/token");
  EXPECT_EQ(config->sinks[3].to, (std::vector<std::string>{"a@example.org", "b@example.org"}));
  EXPECT_EQ(config->sinks[4].command[0], "page-someone");
  EXPECT_EQ(config->sinks[5].path, "/etc/couplingd/alerts.jsonl");
  EXPECT_EQ(config->heartbeat.url_file, "/etc/couplingd/ping");
  EXPECT_EQ(config->heartbeat.interval, std::chrono::minutes(1));
  EXPECT_EQ(config->heartbeat.method, "GET");
}

TEST(Config, ListsAllProblemsWithLineFieldAndHint) {
  const std::string error = ErrorOf(R"(stor: {}
runs:
  - name: a
    path: /a
    schedul: log
  - name: b
    tokens_per_step: many
evaluation:
  attempts: 0
)");
  EXPECT_THAT(
      error,
      HasSubstr("/etc/couplingd/couplingd.yaml:1: stor: unknown key (did you mean \"store\"?)"));
  EXPECT_THAT(error, HasSubstr(":5: runs[0].schedul: unknown key (did you mean \"schedule\"?)"));
  EXPECT_THAT(error, HasSubstr(":6: runs[1]: the key \"path\" is missing"));
  EXPECT_THAT(error, HasSubstr(":7: runs[1].tokens_per_step: \"many\" is not a count"));
  EXPECT_THAT(error, HasSubstr(":9: evaluation.attempts: 0 is outside 1 to 100"));
}

TEST(Config, RefusesWhatYamlItselfWouldLetPass) {
  EXPECT_THAT(ErrorOf("log_level: info\nlog_level: debug\n"),
              HasSubstr(":2: the key \"log_level\" stands twice"));
  EXPECT_THAT(ErrorOf("log_level: info\n---\nlog_level: debug\n"),
              HasSubstr("second YAML document"));
  EXPECT_THAT(ErrorOf("packs: [a, b\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(ErrorOf("packs: \"\xff\"\n"), HasSubstr("not UTF-8"));
  EXPECT_THAT(ErrorOf("[1, 2]"), HasSubstr("must be a mapping"));
  EXPECT_THAT(ErrorOf(std::string(2u << 20, '#')), HasSubstr("at most 1048576"));
  EXPECT_THAT(ErrorOf("packs: " + std::string(5000, '[')), HasSubstr("not valid YAML"));
}

TEST(Config, BoundsAliasesThatUnfold) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j ? ", *a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(ErrorOf(bomb), HasSubstr("more than 100000 values, aliases unfolded"));
  EXPECT_THAT(ErrorOf("packs: &p [*p]\n"), HasSubstr("an alias stands inside what it names"));
}

TEST(Config, KeepsSecretsOutOfTheFileAndOutOfErrors) {
  const std::string inline_url =
      ErrorOf("sinks:\n  - {name: s, kind: slack, url: \"https://hooks.example/T0/secret\"}\n");
  EXPECT_THAT(inline_url, HasSubstr("sinks[0].url: unknown key"));
  EXPECT_THAT(inline_url, HasSubstr("url_file: PATH"));
  EXPECT_THAT(inline_url, Not(HasSubstr("T0/secret")));
  const std::string in_file_key = ErrorOf(
      "sinks:\n  - {name: s, kind: slack, url_file: \"https://hooks.example/T0/secret\"}\n");
  EXPECT_THAT(in_file_key, HasSubstr("secrets do not stand in this file"));
  EXPECT_THAT(in_file_key, Not(HasSubstr("T0/secret")));
}

TEST(Config, OfASlackBotNeedsItsTokenAndItsChannel) {
  const auto config =
      ParseConfig("sinks: [{name: s, kind: slack_bot, token_file: t, channel: C1}]", "/etc/c.yaml");
  ASSERT_TRUE(config) << config.error().Text();
  EXPECT_EQ(config->sinks[0].token_file, "/etc/t");
  EXPECT_EQ(config->sinks[0].channel, "C1");
  const std::string missing = ErrorOf("sinks: [{name: s, kind: slack_bot}]");
  EXPECT_THAT(missing, HasSubstr("\"token_file\" is missing"));
  EXPECT_THAT(missing, HasSubstr("\"channel\" is missing"));
  EXPECT_THAT(ErrorOf("sinks: [{name: s, kind: slack}]"), HasSubstr("\"url_file\" is missing"));
  const std::string inside =
      ErrorOf("sinks: [{name: s, kind: slack_bot, channel: C1, token_file: xoxb-1-SECRET}]");
  EXPECT_THAT(inside, HasSubstr("secrets do not stand in this file"));
  EXPECT_THAT(inside, Not(HasSubstr("SECRET")));
  EXPECT_THAT(ErrorOf("sinks: [{name: s, kind: slack, url_file: u, channel: C1}]"),
              HasSubstr("the kind slack does not use this key"));
}

TEST(Config, RefusesKeysThatTheKindDoesNotUse) {
  EXPECT_THAT(ErrorOf("rules:\n  - name: r\n    kind: bad_checkpoint\n    horizon: 3\n"),
              HasSubstr(":4: rules[0].horizon: the kind bad_checkpoint does not use this key"));
  EXPECT_THAT(ErrorOf("runs: [{name: a, path: /a, schedule: {kind: final, every: 2}}]"),
              HasSubstr("runs[0].schedule.every: the kind final does not use this key"));
  EXPECT_THAT(ErrorOf("rules: [{name: r, kind: sign_change, false_alarm_rate: 0.1}]"),
              HasSubstr("false_alarm_rate: the kind sign_change does not use this key"));
  EXPECT_THAT(ErrorOf("rules: [{name: r, kind: phase, false_alarm_rate: 0}]"),
              HasSubstr("rules[0].false_alarm_rate"));
  EXPECT_THAT(ErrorOf("rules: [{name: r, kind: phase, margin: -1}]"), HasSubstr("rules[0].margin"));
  EXPECT_THAT(ErrorOf("executor: {command: [x]}"), HasSubstr("the kind local does not use"));
  EXPECT_THAT(ErrorOf("executor: {kind: command}"), HasSubstr("needs the key \"command\""));
}

TEST(Config, ReadsWhatARuleSaysAndWhomItIsAbout) {
  const auto config = ParseConfig(R"(
runs: [{name: web-1b, family: web, path: /a}]
rules:
  - name: fell
    kind: score_regression
    runs: [web, web-1b]
    metrics: [arc_easy.acc, piqa.acc]
    min_drop: 0.02
    labels: {team: evals, tier: "1"}
    summary: "{run}: {metric} fell by {drop}"
    note: "Ask the data team. {not closed"
)",
                                  "c.yaml");
  ASSERT_TRUE(config) << config.error().Text();
  const RuleConfig& rule = config->rules[0];
  EXPECT_EQ(rule.runs, (std::vector<std::string>{"web", "web-1b"}));
  EXPECT_EQ(rule.metrics, (std::vector<std::string>{"arc_easy.acc", "piqa.acc"}));
  EXPECT_EQ(rule.labels.at("tier"), "1");
  EXPECT_DOUBLE_EQ(rule.min_drop, 0.02);
}

TEST(Config, OfAFileOverAnotherReplacesWhatItHasAndKeepsTheRest) {
  const auto base = ParseConfig(
      "runs: [{name: a, path: /a}]\naxes: [{name: x, reasoning: r.acc, truthfulness: t.acc}]\n"
      "coupling: {window: 5}\nrules: [{name: old, kind: phase}]\n",
      "c.yaml");
  ASSERT_TRUE(base) << base.error().Text();
  const std::string file = ::testing::TempDir() + "over-" + std::to_string(::getpid()) + ".yaml";
  ASSERT_TRUE(WriteFileAtomically(file, "rules: [{name: new, kind: phase, axes: x, runs: [a]}]\n"));
  const auto over = LoadConfigOver(*base, file);
  ASSERT_TRUE(over) << over.error().Text();
  ASSERT_EQ(over->rules.size(), 1u);
  EXPECT_EQ(over->rules[0].name, "new");
  EXPECT_EQ(over->axes.at(0).name, "x");
  EXPECT_EQ(over->coupling.window, 5);
  EXPECT_EQ(over->runs.size(), 1u);
  ASSERT_TRUE(
      WriteFileAtomically(file, "axes: [{name: y, reasoning: r.acc, truthfulness: u.acc}]"));
  const auto axes = LoadConfigOver(*base, file);
  ASSERT_TRUE(axes) << axes.error().Text();
  EXPECT_EQ(axes->axes.size(), 1u);
  EXPECT_EQ(axes->rules.at(0).name, "old");
}

TEST(Config, RefusesFieldsLabelsAndFiltersOfRulesThatMeanNothing) {
  const std::string field = ErrorOf("rules: [{name: r, kind: phase, summary: \"{gama}\"}]");
  EXPECT_THAT(field, HasSubstr("rules[0].summary: \"{gama}\" is no field"));
  EXPECT_THAT(field, HasSubstr("gamma"));
  EXPECT_THAT(ErrorOf("rules: [{name: r, kind: phase, labels: {severity: low}}]"),
              HasSubstr("rules[0].labels.severity: every alert says this by itself"));
  EXPECT_THAT(ErrorOf("rules: [{name: r, kind: phase, labels: {\"a-b\": x}}]"),
              HasSubstr("is no name of a label"));
  EXPECT_THAT(ErrorOf("rules: [{name: r, kind: phase, labels: [a]}]"),
              HasSubstr("rules[0].labels: must be a mapping"));
  EXPECT_THAT(ErrorOf("rules: [{name: r, kind: score_regression, metrics: [arc]}]"),
              HasSubstr("rules[0].metrics[0]: \"arc\" is not TASK.METRIC"));
  EXPECT_THAT(ErrorOf("runs: [{name: web, path: /a}]\n"
                      "rules: [{name: r, kind: phase, runs: [wbe]}]"),
              HasSubstr("did you mean \"web\"?"));
  EXPECT_THAT(ErrorOf("rules: [{name: r, kind: sink_broken, runs: [a]}]"),
              HasSubstr("rules[0].runs: the kind sink_broken does not use this key"));
}

TEST(Config, AsksOfEachKindOfSinkWhatItNeedsAndNoMore) {
  const std::pair<const char*, const char*> cases[] = {
      {"kind: webhook", "the key \"url_file\" is missing (a sink of kind webhook needs it)"},
      {"kind: slack", "the key \"url_file\" is missing"},
      {"kind: alertmanager", "the key \"url_file\" is missing"},
      {"kind: email, url_file: u", "the key \"from\" is missing"},
      {"kind: email, url_file: u, from: a@b.c", "the key \"to\" is missing"},
      {"kind: command", "the key \"command\" is missing"},
      {"kind: file", "the key \"path\" is missing"},
      {"kind: file, path: p, url_file: u", "url_file: the kind file does not use this key"},
      {"kind: slack, url_file: u, secret_file: s", "the kind slack does not use this key"},
      {"kind: email, url_file: u, from: a@b.c, to: [d@e.f], proxy_file: p",
       "the kind email does not use this key"},
      {"kind: email, url_file: u, from: \"a <a@b.c>\", to: [d@e.f]", "from: is not a mail address"},
      {"kind: email, url_file: u, from: a@b.c, to: [\"d@e.f, g@h.i\"]", "is not a mail address"},
      {"kind: email, url_file: u, from: a@b.c, to: [\"d@e.f\\r\\nBcc: x@y.z\"]",
       "contains a control character"},
      {"kind: webhook, url_file: u, proxy: \"http://us:SECRET@p\"", "sinks[0].proxy: unknown key"},
      {"kind: pager", "is not one of webhook, slack"},
  };
  for (const auto& [keys, cause] : cases) {
    const std::string error = ErrorOf("sinks: [{name: s, " + std::string(keys) + "}]");
    EXPECT_THAT(error, HasSubstr(cause)) << keys;
    EXPECT_THAT(error, Not(HasSubstr("SECRET")));
  }
  EXPECT_THAT(ErrorOf("heartbeat: {url: \"https://hc.example/SECRET\"}"),
              AllOf(HasSubstr("heartbeat.url: unknown key"), Not(HasSubstr("SECRET"))));
}

TEST(Config, RefusesContradictions) {
  EXPECT_THAT(ErrorOf("runs:\n  - {name: a, path: /a}\n  - {name: a, path: /b}\n"),
              HasSubstr(":3: runs[1].name: \"a\" is already used by runs[0]"));
  EXPECT_THAT(ErrorOf("runs:\n  - {name: a, path: /a}\n  - {name: b, path: /a/}\n"),
              HasSubstr("runs[1].path: \"/a\" is already used"));
  EXPECT_THAT(ErrorOf("rules: [{name: r, kind: phase, axes: defualt}]"),
              HasSubstr("did you mean \"default\"?"));
  EXPECT_THAT(ErrorOf("store: {path: /a/state}\nruns: [{name: a, path: /a}]"),
              HasSubstr("lies in this watched directory"));
  EXPECT_THAT(ErrorOf("store: {path: /" + std::string(120, 'x') + "}"),
              HasSubstr("longer than the 107 bytes"));
  EXPECT_THAT(ErrorOf("coupling: {bounds: {tax: 1, bonus: 0}}"), HasSubstr("tax lies above bonus"));
  EXPECT_THAT(ErrorOf("axes: [{name: a, reasoning: t.m, truthfulness: t.m}]"),
              HasSubstr("both axes are the same"));
}

TEST(Config, RefusesWrongTypesByName) {
  const std::pair<const char*, const char*> cases[] = {
      {"watch: {quiet_local: 5}", "is not a duration"},
      {"evaluation: {memory_limit: 8}", "is not a size"},
      {"evaluation: {threads: 1.5}", "is not a whole number"},
      {"evaluation: {device: gpu}", "is not a device"},
      {"evaluation: {dtype: fp8}", "is not one of auto, fp32, bf16, fp16"},
      {"watch: {follow_symlinks: yes}", "is not one of true, false"},
      {"server: {listen: nowhere}", "is not an address"},
      {"log_level:", "has no value"},
      {"packs: one", "must be a list"},
      {"runs: {name: a}", "must be a list"},
      {"store: [a]", "must be a mapping"},
      {"axes: [{name: a, reasoning: acc, truthfulness: t.m}]", "is not TASK.METRIC"},
      {"runs: [{name: a, path: ~/runs}]", "absolute path"},
      {"coupling: {min_decades: .nan}", "is not a number"},
  };
  for (const auto& [yaml, cause] : cases) EXPECT_THAT(ErrorOf(yaml), HasSubstr(cause)) << yaml;
}

TEST(Config, AMissingFileIsNamed) {
  const auto config = LoadConfig("/nowhere/couplingd.yaml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(config.error().message, HasSubstr("/nowhere/couplingd.yaml"));
}

TEST(CheckEnvironment, NamesWhatIsMissing) {
  const std::string folder =
      ::testing::TempDir() + "check_environment-" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/url") << "https://hooks.example/x\n";
  ::chmod((folder + "/url").c_str(), 0644);
  const auto config = ParseConfig(
      "store: {path: state}\nruns: [{name: a, path: absent}]\npacks: [absent.json]\n"
      "sinks: [{name: s, kind: slack, url_file: url},\n"
      "        {name: t, kind: command, command: [/absent/program]},\n"
      "        {name: u, kind: file, path: lines}]\n"
      "heartbeat: {url_file: absent}\n",
      folder + "/c.yaml");
  ASSERT_TRUE(config) << config.error().Text();
  const auto problems = CheckEnvironment(*config);
  ASSERT_EQ(problems.size(), 5u) << ::testing::PrintToString(problems);
  EXPECT_THAT(problems[0], HasSubstr("runs[0].path: " + folder + "/absent: No such file"));
  EXPECT_THAT(problems[1], HasSubstr("runs[0].packs: " + folder + "/absent.json"));
  EXPECT_THAT(problems[2], HasSubstr("sinks[0].url_file"));
  EXPECT_THAT(problems[3], HasSubstr("sinks[1].command: /absent/program"));
  EXPECT_THAT(problems[4], HasSubstr("heartbeat.url_file"));
}

}  // namespace
}  // namespace couplingd
