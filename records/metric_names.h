// What the name of a metric says about its values.
#pragma once

#include <string_view>

namespace couplingd {

// True for shares and accuracies, which lie in 0 to 1 and are shown as percent; false for
// perplexities, likelihoods, losses, bits per byte and counts.
bool IsFractionMetric(std::string_view metric);

// True where a smaller value is the better one: perplexities, losses, bits, error rates and
// stereotype shares.
bool IsLowerBetter(std::string_view metric);

}  // namespace couplingd
