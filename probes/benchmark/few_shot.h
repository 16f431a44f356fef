// Worked examples before a question, drawn and written as lm-eval 0.4.13 does it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "probes/benchmark/pack.h"

namespace couplingd {

inline constexpr std::uint32_t kShotSeed = 1234;  // lm-eval's default fewshot_seed
inline constexpr std::string_view kLmEvalPreset = "lm-eval";
inline constexpr std::string_view kLeaderboardPreset = "leaderboard-v1";

// One row of a benchmark's file.
struct BenchmarkRow {
  PackItem item;
  std::string identity;  // what lm-eval compares rows by: its own fields of the row
};
using Rows = std::vector<BenchmarkRow>;

// What is asked of a builder.
struct ShotRequest {
  int n = 0;
  std::string preset{kLmEvalPreset};
  std::vector<std::string> from;  // files of the split that shots are taken from
};

// Which rows of the split become an item's shots: drawn anew for every item, from one stream of
// random numbers over all items.
enum class ShotDraw {
  kPlain,
  kWithoutItself,  // one more is drawn, and a row equal to the item is left out: lm-eval's rule for
                   // tasks that name neither a test split nor a split for shots
};

// The item as a worked example: its context, the right choice after the pack's delimiter, and a
// blank line.
std::string ShotText(const Pack& pack, const PackItem& item);

// Puts `request.n` shots of `pool` before every context of the pack, and notes them in its
// `fewshot`.
// REQUIRES: pack.items are those of `rows`. kInvalidData where the pool is too small.
Status AddShots(const Rows& rows, const Rows& pool, ShotDraw draw, const ShotRequest& request,
                Pack& pack);

// The named members of a row as one text, so that rows compare equal as lm-eval's do.
std::string RowIdentity(const JsonValue& row, std::span<const std::string_view> keys);

}  // namespace couplingd
