#include "probes/benchmark/sources.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/files.h"
#include "base/numbers.h"
#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"

namespace couplingd {
namespace {

struct KindRow {
  std::string_view kind;
  std::size_t max_paths;
  bool takes_shots;
  std::optional<int> leaderboard_shots;  // of the Open LLM Leaderboard v1; absent: it had no such
                                         // benchmark
  Result<std::vector<Pack>> (*build)(Paths paths, const ShotRequest& shots);
};

constexpr KindRow kKinds[] = {
    {"truthfulqa", 1, false, 0, BuildTruthfulQa},
    {"hellaswag", 1, true, 10, BuildHellaSwag},
    {"arc_easy", 1, true, {}, BuildArcEasy},
    {"arc_challenge", 1, true, 25, BuildArcChallenge},
    {"winogrande", 1, true, 5, BuildWinogrande},
    {"piqa", 2, true, {}, BuildPiqa},
    {"mmlu", 1, true, 5, BuildMmlu},
    {"sciq", 1, true, {}, BuildSciq},
    {"logiqa", 1, true, {}, BuildLogiqa},
    {"wsc", 1, true, {}, BuildWsc},
    {"crows_pairs_english", 1, false, {}, BuildCrowsPairsEnglish},
    {"crows_pairs_french", 1, false, {}, BuildCrowsPairsFrench},
    {"gpqa_diamond", 1, false, {}, BuildGpqaDiamond},
    {"lambada_openai", 1, false, {}, BuildLambadaOpenai},
};

// Benchmarks that are graded on what a model writes, which nothing here can do.
struct RefusedRow {
  std::string_view kind, missing;
};
constexpr RefusedRow kRefused[] = {
    {"ifeval", "generated text, and the checks of its verifiable instructions"},
    {"swe_bench_verified", "an agent that edits repositories, and runs of their tests"},
    {"hle", "generated answers, and a model that judges them"},
    {"truthfulqa_gen", "generated answers, and a model that judges them"},
    {"gsm8k", "generated text, and the comparison of its last number"},
    {"humaneval", "generated code, and runs of its tests"},
    {"math", "generated text, and the comparison of formulas"},
};

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// How many shots the options mean for the kind, and from where.
Result<ShotRequest> ShotsOf(const KindRow& row, const BuildOptions& options) {
  ShotRequest request{.preset = options.preset, .from = options.shots_from};
  if (options.preset == kLeaderboardPreset) {
    if (!row.leaderboard_shots) {
      return Fail(ErrorKind::kUsage, fmt::format("the Open LLM Leaderboard v1 had no {}", row.kind),
                  "leave --fewshot at lm-eval, and name a number with --shots");
    }
    if (options.shots && *options.shots != *row.leaderboard_shots) {
      return Fail(ErrorKind::kUsage,
                  fmt::format("{} takes {} shots of {}, {} are asked for", kLeaderboardPreset,
                              *row.leaderboard_shots, row.kind, *options.shots),
                  "leave --fewshot at lm-eval for a number of your own");
    }
    request.n = *row.leaderboard_shots;
  } else if (options.preset == kLmEvalPreset) {
    request.n = options.shots.value_or(0);
  } else {
    return Fail(ErrorKind::kUsage, fmt::format("\"{}\" is no preset of shots", options.preset),
                fmt::format("presets are {} and {}", kLmEvalPreset, kLeaderboardPreset));
  }
  if (request.n < 0 || request.n > 1000) {
    return Fail(ErrorKind::kUsage, fmt::format("{} shots; 0 to 1000 are possible", request.n));
  }
  if (request.n > 0 && !row.takes_shots) {
    return Fail(ErrorKind::kUsage, fmt::format("{} takes no shots beyond its own", row.kind),
                "lm-eval ignores a number given for it as well");
  }
  if (request.n == 0 && !request.from.empty()) {
    return Fail(
        ErrorKind::kUsage,
        fmt::format("no shots of {} are asked for, so no file of shots has a use", row.kind),
        "give --shots N, or --fewshot leaderboard-v1");
  }
  const bool needs_files = row.kind != "mmlu" && request.n > 0;
  if (needs_files && request.from.empty()) {
    return Fail(ErrorKind::kUsage,
                fmt::format("{} shots of {} are drawn from its train split, which is not named",
                            request.n, row.kind),
                "couplingctl pack build takes its file as --fewshot-from");
  }
  if (request.from.size() > row.max_paths) {
    return Fail(ErrorKind::kUsage,
                fmt::format("shots of {} come from {} file{}, {} given", row.kind, row.max_paths,
                            row.max_paths == 1 ? "" : "s at most", request.from.size()));
  }
  return request;
}

}  // namespace

std::vector<std::string_view> PackKinds() {
  std::vector<std::string_view> kinds;
  for (const KindRow& row : kKinds) kinds.push_back(row.kind);
  return kinds;
}

Result<std::vector<Pack>> BuildPacks(std::string_view kind, std::span<const std::string> paths,
                                     const BuildOptions& options) {
  const auto row = std::ranges::find(kKinds, kind, &KindRow::kind);
  const auto refused = std::ranges::find(kRefused, kind, &RefusedRow::kind);
  if (refused != std::end(kRefused)) {
    return Fail(
        ErrorKind::kUnsupported,
        fmt::format("{} is graded on what a model writes, and couplingd scores choices that "
                    "are given; missing: {}",
                    kind, refused->missing),
        "score it elsewhere and import the results: couplingctl import lm-eval, or import "
        "csv");
  }
  if (row == std::end(kKinds)) {
    return Fail(ErrorKind::kUsage, fmt::format("\"{}\" is no kind of benchmark", kind),
                fmt::format("kinds are {}", fmt::join(PackKinds(), ", ")));
  }
  if (paths.empty() || paths.size() > row->max_paths) {
    return Fail(ErrorKind::kUsage,
                fmt::format("{} is built from {} file{}, {} given", kind, row->max_paths,
                            row->max_paths == 1 ? "" : "s at most", paths.size()));
  }
  std::vector<Pack> packs = TRY(row->build(paths, TRY(ShotsOf(*row, options))));
  for (Pack& pack : packs) {
    FillItemIds(pack.items);
    TRY(CheckPack(pack, paths[0]));
  }
  return packs;
}

Result<std::vector<Pack>> OpenPacks(const std::string& spec) {
  const std::size_t equals = spec.find('=');
  const std::vector<std::string> head = Split(std::string_view(spec).substr(0, equals), ':');
  if (equals != std::string::npos && head[0].find('/') == std::string::npos) {
    BuildOptions options;
    if (head.size() > 1) {
      options.shots = ParseNumber<int>(head[1]);
      if (head.size() > 2 || !options.shots || *options.shots < 0) {
        return Fail(ErrorKind::kUsage, fmt::format("\"{}\" is no number of shots", head[1]));
      }
    }
    return BuildPacks(head[0], Split(std::string_view(spec).substr(equals + 1), ','), options);
  }
  if (spec.ends_with(".csv")) return BuildPacks("truthfulqa", {{spec}});
  std::vector<Pack> packs;
  packs.push_back(TRY(LoadPack(spec)));
  return packs;
}

}  // namespace couplingd
