#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>

#include "base/files.h"
#include "base/json.h"
#include "base/units.h"
#include "config/config.h"
#include "config/schema.h"
#include "records/checkpoint_names.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxRuns = 64;
constexpr JsonLimits kSmallFile = {.max_bytes = 16u << 20};
constexpr double kSameRate =
    0.005;  // token counts of two checkpoints that agree so well give a rate

struct FoundCheckpoint {
  std::int64_t step = 0;
  std::string path;
};

// What a training run's directory tells without opening weights.
struct FoundRun {
  std::string name;
  std::string path;
  std::vector<FoundCheckpoint> checkpoints;  // in order of steps; empty for a bare model
  bool is_model = false;                     // the directory itself holds a model
  std::optional<double> tokens_per_step;
  std::string tokens_note;
  std::string model_type;
  std::optional<std::int64_t> d_model;
  std::optional<double> parameters;
};

bool IsDirectory(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool HoldsModel(const std::string& path) {
  struct stat info;
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"}) {
    if (::stat(JoinPath(path, name).c_str(), &info) == 0 && S_ISREG(info.st_mode)) return true;
  }
  return false;
}

std::optional<double> TokensPerStep(const FoundCheckpoint& checkpoint) {
  const auto state = ParseJsonFile(JoinPath(checkpoint.path, "trainer_state.json"), kSmallFile);
  if (!state) return std::nullopt;
  const auto tokens = FindDouble(*state, "num_input_tokens_seen", "");
  const auto step = FindDouble(*state, "global_step", "");
  if (!tokens || !*tokens || !step || !*step || **tokens <= 0 || **step <= 0) return std::nullopt;
  return **tokens / **step;
}

// The rate of the newest checkpoint, if that of the oldest agrees.
void LookForTokens(FoundRun& run) {
  if (run.checkpoints.empty()) return;
  const auto newest = TokensPerStep(run.checkpoints.back());
  const auto oldest = TokensPerStep(run.checkpoints.front());
  if (!newest || !oldest) {
    run.tokens_note =
        "the trainer's own files do not count tokens "
        "(Trainer: include_num_input_tokens_seen)";
  } else if (std::abs(*newest / *oldest - 1) > kSameRate) {
    run.tokens_note = fmt::format(
        "trainer_state.json counts {} tokens per step at the first checkpoint "
        "and {} at the last, so the counts there are used, not a rate",
        FormatCount(*oldest), FormatCount(*newest));
  } else {
    run.tokens_per_step = std::round(*newest);
    run.tokens_note = fmt::format("num_input_tokens_seen / global_step of {}/trainer_state.json",
                                  BaseName(run.checkpoints.back().path));
  }
}

void LookAtModel(FoundRun& run) {
  const std::string folder = run.checkpoints.empty() ? run.path : run.checkpoints.back().path;
  if (const auto config = ParseJsonFile(JoinPath(folder, "config.json"), kSmallFile)) {
    if (const auto type = FindString(*config, "model_type", ""); type && *type) {
      run.model_type = **type;
    }
    for (const char* key : {"hidden_size", "n_embd", "d_model"}) {
      const auto width = FindInt(*config, key, "");
      if (width && *width && **width > 0 && **width < (1 << 24)) run.d_model = **width;
    }
  }
  const auto index = ParseJsonFile(JoinPath(folder, "model.safetensors.index.json"), kSmallFile);
  const JsonValue* metadata = index ? FindMember(*index, "metadata") : nullptr;
  if (!metadata) return;
  const auto total = FindDouble(*metadata, "total_parameters", "");
  if (total && *total && **total >= 1 && **total < 1e18) run.parameters = **total;
}

Result<FoundRun> LookAt(const std::string& path, const std::string& name) {
  FoundRun run{.name = name, .path = path};
  for (const std::string& child : TRY(ListDirectory(path))) {
    const auto step = StepOfFolder(child);
    const std::string below = JoinPath(path, child);
    if (step && IsDirectory(below)) run.checkpoints.push_back({*step, below});
  }
  std::ranges::sort(run.checkpoints, {}, &FoundCheckpoint::step);
  run.is_model = run.checkpoints.empty() && HoldsModel(path);
  LookForTokens(run);
  LookAtModel(run);
  return run;
}

// The runs in `directory`: itself, or the directories below it that hold checkpoints.
Result<std::vector<FoundRun>> LookForRuns(const std::string& directory) {
  const std::string family = BaseName(directory);
  FoundRun itself = TRY(LookAt(directory, family));
  if (itself.is_model || !itself.checkpoints.empty()) return std::vector{itself};
  std::vector<FoundRun> runs;
  for (const std::string& child : TRY(ListDirectory(directory))) {
    const std::string below = JoinPath(directory, child);
    if (IsIgnoredName(child) || !IsDirectory(below)) continue;
    auto run = LookAt(below, child);
    if (!run) continue;  // a neighbour without permission is none of our runs
    if (!run->is_model && run->checkpoints.empty()) continue;
    runs.push_back(std::move(*run));
    if (runs.size() == kMaxRuns) break;
  }
  if (runs.empty()) runs.push_back(itself);
  return runs;
}

std::string Describe(const FoundRun& run) {
  std::string text;
  if (run.is_model) {
    text = "a model without steps";
  } else if (run.checkpoints.empty()) {
    text =
        "no checkpoint yet: expected are checkpoint-N, step-N, stepN, iter_N, global_stepN or "
        "epE-baN below it, or model.safetensors";
  } else {
    text = fmt::format("{} checkpoint{}, steps {} to {}", run.checkpoints.size(),
                       run.checkpoints.size() == 1 ? "" : "s", run.checkpoints.front().step,
                       run.checkpoints.back().step);
  }
  if (!run.model_type.empty()) text += ", model type " + run.model_type;
  return text;
}

// One line of a comment: names from a file system may hold anything.
std::string OneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return ToValidUtf8(text);
}

std::string RunText(const FoundRun& run, const std::string& family) {
  std::string text = fmt::format("  # {}\n", OneLine(Describe(run)));
  text += fmt::format("  - name: {}\n    family: {}\n    path: {}\n", ShowText(run.name),
                      ShowText(family), ShowText(run.path));
  if (run.tokens_per_step) {
    text += fmt::format("    # {}\n    tokens_per_step: {}\n", OneLine(run.tokens_note),
                        ShowNumber(*run.tokens_per_step));
  } else {
    text += fmt::format(
        "    # {}\n    # tokens_per_step: 2M   # batch x sequence length; without it there is no "
        "token axis\n",
        OneLine(run.tokens_note.empty() ? "Tokens per step are not known." : run.tokens_note));
  }
  if (run.d_model) text += fmt::format("    d_model: {}\n", *run.d_model);
  if (run.parameters) text += fmt::format("    parameters: {}\n", ShowNumber(*run.parameters));
  return text;
}

// Run names must be unique and carry the family, as they are what alerts and plots show.
std::string RunName(const std::string& family, const FoundRun& run, bool is_only) {
  if (is_only || run.name.starts_with(family)) return run.name;
  return family + "-" + run.name;
}

std::string PacksText(const std::vector<std::string>& packs) {
  if (packs.empty()) {
    return "# Item packs that every checkpoint is evaluated on. Make them from the benchmarks' own "
           "files, such as\n"
           "#   couplingctl pack build truthfulqa TruthfulQA.csv --out packs/\n"
           "# and list them here; nothing is evaluated without one.\n"
           "packs: []\n";
  }
  std::string text = "# Item packs that every checkpoint is evaluated on.\npacks:\n";
  for (const std::string& pack : packs) text += fmt::format("  - {}\n", ShowText(pack));
  return text;
}

}  // namespace

Result<std::string> ProposeConfig(const std::string& directory, const std::string& store_path,
                                  const std::vector<std::string>& packs) {
  const std::string root = TRY(RealPath(directory));
  std::vector<FoundRun> runs = TRY(LookForRuns(root));
  const std::string family = BaseName(root).empty() ? "run" : BaseName(root);
  std::string text = fmt::format(
      "# couplingd: watches {}\n"
      "# Made by couplingctl init from what lies there. Every key with its default: couplingctl "
      "init --example\n\n"
      "store:\n  # Database, score files, lock and socket.\n  path: {}\n\n"
      "# The training runs that are watched. Nothing is ever written into their directories.\n"
      "# Where the trainer deletes checkpoints sooner than they are evaluated (save_total_limit), "
      "add\n"
      "# preserve: hardlink; where it saves faster than they are evaluated, add schedule: "
      "log.\nruns:\n",
      OneLine(root), ShowText(store_path));
  for (FoundRun& run : runs) {
    run.name = RunName(family, run, runs.size() == 1);
    text += RunText(run, family);
  }
  if (runs.size() == kMaxRuns)
    text += fmt::format("  # Only the first {} runs are listed.\n", kMaxRuns);
  text += "\n" + PacksText(packs) +
          "\n# Two capabilities whose coupling is tracked, as TASK.METRIC of the packs.\naxes:\n"
          "  - name: default\n    reasoning: hellaswag.acc_norm\n    truthfulness: "
          "truthfulqa_mc2.acc\n\n"
          "# Where alerts go. The address is a secret: it stands in a file of mode 0600.\n"
          "# sinks:\n#   - name: team-slack\n#     kind: slack\n#     url_file: "
          "/etc/couplingd/slack-url\n"
          "sinks: []\n";
  auto parsed = ParseConfig(text, JoinPath(root, "proposed.yaml"));
  if (!parsed)
    return std::unexpected(
        parsed.error().Within("the directory's names do not make a configuration"));
  return text;
}

}  // namespace couplingd
