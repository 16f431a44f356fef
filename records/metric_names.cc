#include "records/metric_names.h"

#include <algorithm>

namespace couplingd {
namespace {

// Anywhere in the name, and as a word of it (words are separated by '_', ':' and the like).
constexpr std::string_view kParts[] = {"ppl",      "perplexity", "likelihood", "logprob",
                                       "bits_per", "coupling",   "d_rep",      "bottleneck"};
constexpr std::string_view kWords[] = {"loss", "bits", "bpb", "nll",  "count", "len",
                                       "bleu", "chrf", "ter", "odds", "heads", "layers"};

bool IsWordCharacter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool HasWord(std::string_view name, std::string_view word) {
  for (std::size_t at = name.find(word); at != std::string_view::npos;
       at = name.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !IsWordCharacter(name[at - 1]);
    if (begins && (end == name.size() || !IsWordCharacter(name[end]))) return true;
  }
  return false;
}

}  // namespace

bool IsFractionMetric(std::string_view metric) {
  const auto contains = [&](std::string_view part) {
    return metric.find(part) != std::string_view::npos;
  };
  const auto has_word = [&](std::string_view word) { return HasWord(metric, word); };
  return std::ranges::none_of(kParts, contains) && std::ranges::none_of(kWords, has_word);
}

bool IsLowerBetter(std::string_view metric) {
  constexpr std::string_view kBadParts[] = {"ppl", "perplexity", "bits_per", "pct_stereotype",
                                            "brier"};
  constexpr std::string_view kBadWords[] = {"loss", "bits",  "bpb", "nll",
                                            "ter",  "error", "mse", "wer"};
  const auto contains = [&](std::string_view part) {
    return metric.find(part) != std::string_view::npos;
  };
  const auto has_word = [&](std::string_view word) { return HasWord(metric, word); };
  return std::ranges::any_of(kBadParts, contains) || std::ranges::any_of(kBadWords, has_word);
}

}  // namespace couplingd
