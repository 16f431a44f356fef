#include "probes/benchmark/agreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "probes/benchmark/agreement_evidence.h"
#include "probes/benchmark/agreement_pairs.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

constexpr double kCharactersPerToken = 4;

double TokensOf(const std::optional<std::size_t>& known, const std::string& continuation) {
  const double guess = static_cast<double>(CountCodePoints(continuation)) / kCharactersPerToken;
  return known ? static_cast<double>(*known) : std::max(1.0, guess);
}

std::size_t Best(const std::vector<ChoiceScore>& scores) {
  return static_cast<std::size_t>(
      std::ranges::max_element(scores, {}, &ChoiceScore::log_likelihood) - scores.begin());
}

Status CheckSide(const ScoredSide& side, std::string_view name) {
  bool fits = side.pack.items.size() == side.scores.scores.size();
  for (std::size_t i = 0; fits && i < side.pack.items.size(); ++i) {
    fits = side.pack.items[i].choices.size() == side.scores.scores[i].size();
  }
  if (fits) return {};
  return BadItem(name, fmt::format("the scores do not belong to the items of {}", side.pack.name));
}

// Exact in a format of so many bits after the first, and not zero.
bool Fits(double value, int dropped_bits) {
  const auto single = static_cast<float>(value);
  if (static_cast<double>(single) != value) return false;
  return (std::bit_cast<std::uint32_t>(single) & ((1u << dropped_bits) - 1)) == 0;
}

bool AllFit(const TaskScores& scores, int dropped_bits) {
  constexpr std::size_t kFewest = 8;
  std::size_t count = 0;
  for (const auto& item : scores.scores) {
    for (const ChoiceScore& score : item) {
      if (!Fits(score.log_likelihood, dropped_bits)) return false;
      ++count;
    }
  }
  return count >= kFewest;
}

}  // namespace

std::string_view ToString(DifferenceCause cause) {
  switch (cause) {
    case DifferenceCause::kTemplate:
      return "template";
    case DifferenceCause::kSpacing:
      return "spacing";
    case DifferenceCause::kTokenizer:
      return "tokenizer";
    case DifferenceCause::kTruncation:
      return "truncation";
    case DifferenceCause::kBos:
      return "bos";
    case DifferenceCause::kDtype:
      return "dtype";
    case DifferenceCause::kUnknown:
      break;
  }
  return "unknown";
}

std::string HalfFormatOf(const TaskScores& scores) {
  if (AllFit(scores, 16)) return "bf16";
  return AllFit(scores, 13) ? "fp16" : "";
}

Result<Agreement> CompareScores(const ScoredSide& ours, const ScoredSide& theirs,
                                double per_token) {
  TRY(CheckSide(ours, "ours"));
  TRY(CheckSide(theirs, "theirs"));
  const auto pairs = PairItems(ours.pack, theirs.pack);
  if (pairs.empty()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("no item of {} is one of {}, by its texts or by its place",
                            ours.pack.name, theirs.pack.name),
                "are both of the same task, and of the same part of it?");
  }
  Agreement agreement{.items = pairs.size()};
  agreement.only_ours = ours.pack.items.size() - pairs.size();
  agreement.only_theirs = theirs.pack.items.size() - pairs.size();
  std::vector<ComparedChoice> choices;
  for (const auto& [mine, other] : pairs) {
    const auto& our_scores = ours.scores.scores[mine];
    const auto& their_scores = theirs.scores.scores[other];
    agreement.other_best += Best(our_scores) != Best(their_scores);
    for (std::size_t i = 0; i < our_scores.size(); ++i) {
      ComparedChoice& choice = choices.emplace_back();
      choice.our_item = mine, choice.their_item = other, choice.choice = i;
      choice.ours = our_scores[i].log_likelihood;
      choice.theirs = their_scores[i].log_likelihood;
      if (!ours.scored_tokens.empty()) choice.tokens = ours.scored_tokens[mine][i];
      choice.weight = TokensOf(choice.tokens, ours.pack.Continuation(ours.pack.items[mine], i));
      choice.agrees = std::abs(choice.ours - choice.theirs) <= per_token * choice.weight;
    }
  }
  agreement.choices = choices.size();
  EvidenceFinder finder(ours, theirs, choices);
  for (const ComparedChoice& choice : choices) {
    if (choice.agrees) {
      ++agreement.agreeing;
      agreement.other_texts += !finder.HaveEqualTexts(choice);
      continue;
    }
    const Finding finding = TRY(finder.Find(choice));
    agreement.differing.push_back({.our_item = ours.pack.items[choice.our_item].id,
                                   .their_item = theirs.pack.items[choice.their_item].id,
                                   .choice = choice.choice,
                                   .ours = choice.ours,
                                   .theirs = choice.theirs,
                                   .tokens = choice.tokens,
                                   .cause = finding.cause,
                                   .evidence = finding.evidence});
  }
  agreement.would_decide = finder.WouldDecide();
  return agreement;
}

}  // namespace couplingd
