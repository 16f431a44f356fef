#include "coupling/size_matching.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace couplingd {
namespace {

using Run = std::vector<AxisObservation>;

std::optional<double> Place(const AxisObservation& at, SizeMatch match) {
  if (!at.tokens || *at.tokens <= 0) return std::nullopt;
  return match == SizeMatch::kTokens ? *at.tokens : *at.tokens / *at.parameters;
}

double Distance(double place, double wanted) { return std::abs(place / wanted - 1); }

// Nearest trained checkpoint of a run within the tolerance.
const AxisObservation* Nearest(const Run& run, SizeMatch match, double wanted, double tolerance) {
  const AxisObservation* best = nullptr;
  double best_distance = tolerance;
  for (const AxisObservation& at : run) {
    const auto place = Place(at, match);
    if (at.step <= 0 || !place) continue;
    if (const double distance = Distance(*place, wanted); distance <= best_distance) {
      best = &at;
      best_distance = distance;
    }
  }
  return best;
}

// The place most runs share, the largest among equals.
std::optional<double> CommonPlace(const std::vector<Run>& runs, SizeMatch match, double tolerance) {
  std::vector<double> candidates;
  for (const Run& run : runs) {
    for (const AxisObservation& at : run) {
      if (const auto place = Place(at, match); place && at.step > 0) candidates.push_back(*place);
    }
  }
  std::ranges::sort(candidates, std::greater<>());
  std::optional<double> best;
  std::ptrdiff_t best_count = 0;
  for (const double candidate : candidates) {
    const auto count = std::ranges::count_if(
        runs, [&](const Run& run) { return Nearest(run, match, candidate, tolerance) != nullptr; });
    if (count > best_count) {
      best = candidate;
      best_count = count;
    }
  }
  return best;
}

Status CheckRuns(const std::vector<Run>& runs) {
  std::vector<double> sizes;
  for (const Run& run : runs) {
    for (const AxisObservation& at : run) {
      if (!at.parameters || !(*at.parameters > 0)) {
        return Fail(ErrorKind::kInvalidData,
                    fmt::format("step {:.0f}: the parameter count is unknown", at.step),
                    "set `parameters` of the run in the configuration");
      }
      if (*at.parameters != *run.front().parameters) {
        return Fail(ErrorKind::kInvalidData,
                    fmt::format("one run has checkpoints of {:.4g} and of {:.4g} parameters",
                                *run.front().parameters, *at.parameters));
      }
    }
    if (run.empty()) continue;
    if (std::ranges::find(sizes, *run.front().parameters) != sizes.end()) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("two runs have {:.4g} parameters", *run.front().parameters),
                  "a family holds one run per size; name the one meant");
    }
    sizes.push_back(*run.front().parameters);
  }
  return {};
}

const AxisObservation* Last(const Run& run) {
  const AxisObservation* last = nullptr;
  for (const AxisObservation& at : run) {
    if (at.step > 0 && (last == nullptr || at.step > last->step)) last = &at;
  }
  return last;
}

std::string WhyLeftOut(const Run& run, SizeMatch match, std::optional<double> common,
                       double tolerance) {
  if (run.empty()) return "a run without evaluated checkpoints is left out";
  const double size = *run.front().parameters;
  if (match == SizeMatch::kFinal) {
    return fmt::format("{:.4g} parameters: no checkpoint after step 0", size);
  }
  const bool has_tokens =
      std::ranges::any_of(run, [&](const auto& at) { return Place(at, match).has_value(); });
  if (!has_tokens || !common) return fmt::format("{:.4g} parameters: tokens are unknown", size);
  return fmt::format("{:.4g} parameters: no checkpoint within {:.1f} % of {:.4g} {}", size,
                     100 * tolerance, *common,
                     match == SizeMatch::kTokens ? "tokens" : "tokens per parameter");
}

}  // namespace

std::string_view ToString(SizeMatch match) {
  switch (match) {
    case SizeMatch::kTokens:
      return "tokens";
    case SizeMatch::kTokensPerParameter:
      return "tokens_per_parameter";
    case SizeMatch::kFinal:
      return "final";
  }
  return "unknown";
}

std::optional<SizeMatch> ParseSizeMatch(std::string_view text) {
  for (const SizeMatch match :
       {SizeMatch::kTokens, SizeMatch::kTokensPerParameter, SizeMatch::kFinal}) {
    if (text == ToString(match)) return match;
  }
  return std::nullopt;
}

Result<MatchedSizes> MatchSizes(const std::vector<Run>& runs, SizeMatch match, double tolerance) {
  TRY(CheckRuns(runs));
  MatchedSizes matched;
  if (match != SizeMatch::kFinal) matched.at = CommonPlace(runs, match, tolerance);
  for (const Run& run : runs) {
    const AxisObservation* chosen = nullptr;
    if (match == SizeMatch::kFinal) {
      chosen = Last(run);
    } else if (matched.at) {
      chosen = Nearest(run, match, *matched.at, tolerance);
    }
    if (chosen != nullptr) {
      matched.chosen.push_back(*chosen);
    } else {
      matched.left_out.push_back(WhyLeftOut(run, match, matched.at, tolerance));
    }
  }
  std::ranges::sort(matched.chosen, {}, [](const AxisObservation& at) { return *at.parameters; });
  return matched;
}

}  // namespace couplingd
