#include "tests/daemon/writer_trials.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "base/clock.h"
#include "base/files.h"
#include "daemon/readiness.h"
#include "daemon/scanner.h"
#include "probes/checkpoint/inspect.h"
#include "probes/checkpoint/open_checkpoint.h"
#include "probes/checkpoint/weights_hasher.h"

namespace couplingd {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kQuiet{5000};
constexpr milliseconds kRecheck{10000};
constexpr milliseconds kTick{1000};
constexpr int kTicksAtTheEnd = 40;

using Files = std::map<std::string, std::string>;  // name to content

Files ReadFiles(const fs::path& directory) {
  Files files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files[fs::relative(entry.path(), directory).string()] = {std::istreambuf_iterator<char>(in),
                                                             {}};
  }
  return files;
}

void WriteFiles(const Files& files, const fs::path& directory) {
  for (const auto& [name, content] : files) {
    fs::create_directories((directory / name).parent_path());
    std::ofstream(directory / name, std::ios::binary) << content;
  }
}

Result<std::string> HashOf(const CheckpointWeights& weights) {
  WeightsHasher hasher;
  return hasher.Finish(*weights.source);
}

// The same checkpoint with one byte of every tensor changed.
Result<Files> OtherWeights(const Files& files, const fs::path& directory) {
  Files other = files;
  const CheckpointWeights weights = TRY(OpenCheckpoint(directory.string()));
  std::set<std::pair<std::string, std::uint64_t>> changed;
  for (const TensorInfo& tensor : weights.source->tensors()) {
    const std::string name = fs::relative(tensor.file, directory).string();
    if (tensor.bytes > 0 && changed.insert({name, tensor.offset}).second) {
      other[name][tensor.offset] ^= 1;
    }
  }
  return other;
}

class Trial {
 public:
  Trial(const WriterLayout& layout, fs::path run, const Files (&versions)[2],
        const std::string (&hashes)[2], std::uint64_t seed, WriterCounts& counts)
      : layout_(layout),
        run_(std::move(run)),
        target_(run_ / layout.checkpoint),
        writing_(layout.renamed ? fs::path(target_.string() + "-tmp") : target_),
        versions_(versions),
        hashes_(hashes),
        random_(seed),
        counts_(counts) {}

  void Play() {
    fs::create_directories(run_);
    ++counts_.schedules;
    const bool whole = Save(0, Chance(0.3));
    if (whole && Chance(0.2)) {
      evaluate_meanwhile_ = [this] { Delete(); };
      Wait(Between(1, 30));
      evaluate_meanwhile_ = nullptr;
    } else if (whole && Chance(0.4)) {
      Wait(Between(0, 30));
      Rewrite();
    } else if (!whole && Chance(0.6)) {
      Wait(Between(0, 30));
      fs::remove_all(writing_);
      Save(1, false);  // training went on from an earlier step: other weights
    }
    Wait(kTicksAtTheEnd);
    if (complete_) {
      ++counts_.complete;
      counts_.evaluated += times_[*complete_] == 1 ? 1 : 0;
    }
    for (const int times : times_) counts_.repeated += std::max(0, times - 1);
    fs::remove_all(run_);
  }

 private:
  bool Chance(double probability) { return std::bernoulli_distribution(probability)(random_); }
  int Between(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }

  std::vector<std::string> NamesOf(std::size_t stage) const {
    std::vector<std::string> names;
    for (const auto& [name, content] : versions_[0]) {
      std::size_t found = layout_.stages.size();
      std::size_t rest = found;
      for (std::size_t i = 0; i < layout_.stages.size(); ++i) {
        for (const std::string& pattern : layout_.stages[i]) {
          if (pattern.empty()) rest = i;
          const bool begins =
              pattern.ends_with('*') && name.starts_with(pattern.substr(0, pattern.size() - 1));
          if (pattern == name || begins) found = i;
        }
      }
      if ((found == layout_.stages.size() ? rest : found) == stage) names.push_back(name);
    }
    return names;
  }

  // Writes one version; false where it dies before the end.
  bool Save(int version, bool dies) {
    complete_.reset();
    int chunks_left = dies ? Between(0, 3 * static_cast<int>(versions_[version].size())) : -1;
    for (std::size_t stage = 0; stage < layout_.stages.size(); ++stage) {
      std::vector<std::string> names = NamesOf(stage);
      std::map<std::string, std::size_t> written;
      while (!names.empty()) {
        if (chunks_left == 0) {
          ++counts_.killed;
          return false;
        }
        if (chunks_left > 0) --chunks_left;
        const auto at = static_cast<std::size_t>(Between(0, static_cast<int>(names.size()) - 1));
        if (WriteChunk(version, names[at], written[names[at]])) {
          names.erase(names.begin() + static_cast<std::ptrdiff_t>(at));
        }
        Pause();
      }
    }
    if (layout_.renamed) {
      fs::remove_all(target_);
      fs::rename(writing_, target_);
    }
    complete_ = version;
    return true;
  }

  // A random part of what is left of the file; true at its end.
  bool WriteChunk(int version, const std::string& name, std::size_t& written) {
    const std::string& content = versions_[version].at(name);
    const fs::path path = writing_ / name;
    fs::create_directories(path.parent_path());
    const std::size_t left = content.size() - written;
    const std::size_t size =
        Chance(0.5) ? left : std::uniform_int_distribution<std::size_t>(0, left)(random_);
    const auto mode = written == 0 ? std::ios::trunc : std::ios::app;
    std::ofstream(path, std::ios::binary | std::ios::out | mode)
        .write(content.data() + written, static_cast<std::streamsize>(size));
    written += size;
    fs::last_write_time(path, fs::file_time_type(clock_.Now() * std::chrono::milliseconds(1)));
    clock_.Advance(milliseconds(1));
    return written == content.size();
  }

  void Pause() {
    const bool may_be_long = layout_.rewrite_shows || !rewriting_;
    if (Chance(0.2)) Wait(Between(1, may_be_long && Chance(0.2) ? 25 : 3));
  }

  void Rewrite() {
    ++counts_.rewritten;
    rewriting_ = true;
    Save(1, layout_.rewrite_shows && Chance(0.3));
    rewriting_ = false;
  }

  void Delete() {
    ++counts_.deleted;
    fs::remove_all(target_);
    complete_.reset();
  }

  void Wait(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      clock_.Advance(kTick);
      Look();
    }
  }

  void Look() {
    const Result<ScanResult> scan = ScanRun({.root = run_.string(), .always = {}});
    if (!scan) return;
    readiness_.Retain(scan->present);
    for (const Candidate& candidate : scan->candidates) {
      if (readiness_.Observe(candidate, clock_.Now())) Ask(candidate);
    }
  }

  void Ask(const Candidate& candidate) {
    readiness_.Recheck(candidate.path, clock_.Now(), kRecheck);
    const Result<Inspection> seen = Inspect(candidate.path);
    if (!seen || seen->readiness == Readiness::kIncomplete) return;
    readiness_.Settle(candidate.path, candidate.fingerprint);
    if (!seen->ready() || !known_.insert(seen->signature).second) return;
    if (!Evaluate(candidate.path)) known_.erase(seen->signature);
  }

  // False where the checkpoint changed meanwhile.
  bool Evaluate(const std::string& path) {
    const Result<CheckpointWeights> weights = OpenCheckpoint(path);
    if (!weights) return false;
    if (evaluate_meanwhile_) evaluate_meanwhile_();
    const Result<std::string> hash = HashOf(*weights);
    if (!hash || !weights->source->CheckUnchanged()) return false;
    const auto version = std::ranges::find(hashes_, *hash);
    if (version == std::end(hashes_)) {
      ++counts_.partial;
    } else {
      ++times_[version - std::begin(hashes_)];
    }
    return true;
  }

  const WriterLayout& layout_;
  fs::path run_, target_, writing_;
  const Files (&versions_)[2];
  const std::string (&hashes_)[2];
  std::mt19937_64 random_;
  WriterCounts& counts_;
  ManualClock clock_{1'700'000'000'000};
  ReadinessTracker readiness_{kQuiet};
  std::set<std::string> known_;
  std::function<void()> evaluate_meanwhile_;
  std::optional<int> complete_;  // the version that lies there, whole
  bool rewriting_ = false;
  int times_[2] = {0, 0};
};

}  // namespace

std::vector<WriterLayout> WriterLayouts() {
  const std::string writers = "writers/";
  return {
      {"trainer", "trainer/checkpoint-4", "checkpoint-4", {{""}, {"trainer_state.json"}}},
      {"torch.distributed",
       writers + "torch_fsdp/checkpoint-4",
       "checkpoint-4",
       {{""}, {"pytorch_model_fsdp_0/.metadata"}, {"trainer_state.json"}}},
      {"torchtitan", writers + "torchtitan/checkpoint/step-6", "step-6", {{""}, {".metadata"}}},
      {"OLMo-core",
       writers + "olmo_core/step12",
       "step12",
       {{""}, {"model_and_optim/.metadata"}, {".metadata.json"}, {"config.json"}},
       true},
      {"litgpt", writers + "litgpt/step-00000007", "step-00000007", {{""}, {"model_config.yaml"}}},
      {"nanotron",
       writers + "nanotron_tp2/7",
       "7",
       {{""}, {"checkpoint_metadata.json"}, {"model_config.json"}}},
      {"Megatron-LM",
       writers + "megatron_legacy_tp2/iter_0000005",
       "iter_0000005",
       {{""}},
       false,
       false},
      {"Megatron torch_dist",
       writers + "megatron_dist_tp2/iter_0000005",
       "iter_0000005",
       {{""}, {".metadata"}, {"metadata.json"}}},
      {"DeepSpeed ZeRO 1",
       writers + "deepspeed_zero1/global_step3",
       "global_step3",
       {{""}},
       false,
       false},
      {"DeepSpeed ZeRO 3",
       writers + "deepspeed_zero3/global_step3",
       "global_step3",
       {{""}},
       false,
       false},
  };
}

Result<WriterCounts> TryWriters(const WriterLayout& layout, const std::string& fixtures,
                                const std::string& directory, int count, std::uint64_t seed) {
  const std::string fixture = JoinPath(fixtures, layout.fixture);
  Files versions[2];
  std::string hashes[2];
  versions[0] = ReadFiles(fixture);
  for (int version = 0; version < 2; ++version) {
    const fs::path whole = fs::path(directory) / "whole" / layout.checkpoint;
    fs::remove_all(whole);
    WriteFiles(versions[version], whole);
    for (const auto& entry : fs::recursive_directory_iterator(whole)) {
      if (entry.is_regular_file()) fs::last_write_time(entry.path(), fs::file_time_type{});
    }
    const CheckpointWeights weights = TRY(OpenCheckpoint(whole.string()));
    hashes[version] = TRY(HashOf(weights));
    if (version == 0) versions[1] = TRY(OtherWeights(versions[0], whole));
  }
  WriterCounts counts;
  for (int i = 0; i < count; ++i) {
    Trial(layout, fs::path(directory) / "run", versions, hashes,
          seed + static_cast<std::uint64_t>(i), counts)
        .Play();
  }
  return counts;
}

}  // namespace couplingd
