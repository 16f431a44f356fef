#include "demo/stage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "base/files.h"
#include "base/json.h"

namespace couplingd {
namespace {

std::string ItemLines(const std::vector<DemoItem>& items) {
  std::string lines;
  for (const DemoItem& item : items) {
    JsonWriter json;
    json.BeginObject().Field("context", item.context).Key("choices").BeginArray();
    for (const std::string& choice : item.choices) json.Value(choice);
    lines += json.EndArray().Field("gold", 0).EndObject().Text() + "\n";
  }
  return lines;
}

Status WritePacks(const StageOptions& options, Mix mix) {
  const World world(options.seed);
  const std::string packs = JoinPath(options.directory, fmt::format("packs/{}", ToString(mix)));
  TRY(MakeDirectories(packs, 0755));
  TRY(WriteFileAtomically(JoinPath(packs, "reasoning.jsonl"), ItemLines(world.ReasoningItems())));
  return WriteFileAtomically(JoinPath(packs, "truthfulness.jsonl"),
                             ItemLines(world.TruthfulnessItems(mix)));
}

std::string RunYaml(const StagedRun& run) {
  return fmt::format(
      "  - name: {0}\n    family: {1}\n    path: runs/{0}\n    d_model: {2}\n"
      "    packs: [packs/{1}/reasoning.jsonl, packs/{1}/truthfulness.jsonl]\n",
      run.name, ToString(run.mix), run.width);
}

std::string ConfigYaml(const Stage& stage) {
  std::string runs;
  for (const StagedRun& run : stage.runs) runs += RunYaml(run);
  return fmt::format(
      "# What the demo gave to the daemon. Try it: couplingctl --config THIS_FILE status\n"
      "store: {{path: state}}\nserver: {{listen: none}}\nruns:\n{}"
      "axes:\n  - {{name: demo, reasoning: reasoning.acc, truthfulness: truthfulness.acc}}\n"
      "watch: {{scan_interval: 250ms, quiet_local: 500ms}}\n"
      "evaluation: {{device: cpu, threads: 1, order: oldest}}\n"
      "coupling: {{window: 6, match: final}}\n"
      "rules:\n"
      "  # Twelve checkpoints of 400 items each show little: a looser rate than the default of "
      "0.01.\n"
      "  - {{name: tax, kind: phase, phase: tax, false_alarm_rate: 0.1}}\n"
      "  - {{name: turn, kind: sign_change, severity: info}}\n"
      "  - {{name: failing, kind: evaluation_failing}}\n"
      "  - {{name: damaged, kind: bad_checkpoint}}\n"
      "sinks:\n  - {{name: screen, kind: webhook, url_file: alert_url, allow_private: true}}\n",
      runs);
}

}  // namespace

Result<Stage> SetStage(const StageOptions& options, const std::string& alert_url) {
  for (const char* made : {"packs", "runs", "state"}) {
    std::error_code ignored;
    std::filesystem::remove_all(JoinPath(options.directory, made), ignored);
  }
  TRY(MakeDirectories(options.directory, 0755));
  Stage stage;
  for (Mix mix : options.mixes) {
    TRY(WritePacks(options, mix));
    for (int width : options.widths) {
      StagedRun run{fmt::format("{}-{}", ToString(mix), width), mix, width, ""};
      run.directory = JoinPath(options.directory, "runs/" + run.name);
      TRY(MakeDirectories(run.directory, 0755));
      stage.runs.push_back(std::move(run));
    }
  }
  TRY(WriteFileAtomically(JoinPath(options.directory, "alert_url"), alert_url + "\n"));
  stage.config = JoinPath(options.directory, "couplingd.yaml");
  TRY(WriteFileAtomically(stage.config, ConfigYaml(stage), 0644));
  return stage;
}

}  // namespace couplingd
