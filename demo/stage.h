// The directory that a demo plays in: item packs, a configuration for the real daemon, and one
// directory per run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "demo/world.h"

namespace couplingd {

struct StageOptions {
  std::string directory;
  std::uint64_t seed = 0;
  std::vector<Mix> mixes = {Mix::kWeb, Mix::kCurated, Mix::kMixed};
  std::vector<int> widths = {8, 16, 32, 64, 128};
  std::vector<std::int64_t> save_at = {100, 125, 157, 197, 247, 309, 388, 486, 609, 764, 957, 1200};
};

struct StagedRun {
  std::string name;  // "web-64"
  Mix mix = Mix::kWeb;
  int width = 64;
  std::string directory;
};

struct Stage {
  std::string config;  // path of the YAML file
  std::vector<StagedRun> runs;
};

// Replaces what an earlier demo left in `directory` (only what a demo makes). `alert_url` is where
// alerts go.
Result<Stage> SetStage(const StageOptions& options, const std::string& alert_url);

}  // namespace couplingd
