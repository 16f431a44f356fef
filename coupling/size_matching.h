// Which checkpoint stands for each size of a family.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coupling/observation.h"

namespace couplingd {

enum class SizeMatch {
  kTokens,              // the same number of tokens seen
  kTokensPerParameter,  // the same ratio of tokens to parameters
  kFinal,               // the last checkpoint of each, whatever it has seen
};

// "tokens", "tokens_per_parameter", "final"
std::string_view ToString(SizeMatch match);
std::optional<SizeMatch> ParseSizeMatch(std::string_view text);

struct MatchedSizes {
  std::vector<AxisObservation> chosen;  // by size, smallest first
  std::optional<double> at;             // the common tokens, or tokens per parameter
  std::vector<std::string> left_out;    // one sentence per size without a match
};

// `runs` holds one run's observations each; every observation needs parameters. By tokens the
// largest value is taken at which most runs have a checkpoint within `tolerance` (relative); each
// run gives its nearest. Step 0 is never chosen. Two runs of one size, or a missing parameter
// count, are errors; a run without tokens is left out, by name of its size.
Result<MatchedSizes> MatchSizes(const std::vector<std::vector<AxisObservation>>& runs,
                                SizeMatch match, double tolerance = 0.02);

}  // namespace couplingd
