#include "records/metric_names.h"

#include <algorithm>

namespace couplingd {

bool IsFractionMetric(std::string_view metric) {
  constexpr std::string_view kOther[] = {"ppl",  "perplexity", "likelihood", "logprob", "loss",
                                         "bits", "bpb",        "nll",        "count",   "len",
                                         "bleu", "chrf",       "ter",        "odds"};
  return std::ranges::none_of(
      kOther, [&](std::string_view part) { return metric.find(part) != std::string_view::npos; });
}

}  // namespace couplingd
