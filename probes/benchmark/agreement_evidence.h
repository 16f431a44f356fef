// The cause of one differing choice, from texts, tokens and what is known of both sides. Internal
// to agreement.cc.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "probes/benchmark/agreement.h"
#include "probes/benchmark/agreement_pairs.h"
#include "probes/benchmark/requests.h"

namespace couplingd {

struct ComparedChoice {
  std::size_t our_item = 0, their_item = 0, choice = 0;
  double ours = 0, theirs = 0;
  std::optional<std::size_t> tokens;
  double weight = 1;  // tokens, known or guessed
  bool agrees = false;
};

struct Finding {
  DifferenceCause cause = DifferenceCause::kUnknown;
  std::string evidence;
};

class EvidenceFinder {
 public:
  // REQUIRES: all three outlive this.
  EvidenceFinder(const ScoredSide& ours, const ScoredSide& theirs,
                 const std::vector<ComparedChoice>& choices);

  // REQUIRES: the choice does not agree. An error where a text cannot be encoded.
  Result<Finding> Find(const ComparedChoice& choice);
  bool HaveEqualTexts(const ComparedChoice& choice) const;
  // Of the choices found to be unknown so far.
  std::vector<std::string> WouldDecide() const;

 private:
  using Maybe = std::optional<Finding>;

  RequestText OurText(const ComparedChoice& choice) const;
  RequestText TheirText(const ComparedChoice& choice) const;
  Result<std::vector<TokenId>> Encode(const Tokenizer& tokenizer, const ComparedChoice& choice,
                                      BosMode bos) const;
  void LookAtDifferences();
  Result<bool> OnlyLongOnesDiffer(std::size_t window);

  Maybe FromTexts(const ComparedChoice& choice) const;
  Result<Maybe> FromTokens(const ComparedChoice& choice) const;
  Result<Maybe> FromWindows(const ComparedChoice& choice);
  Result<Maybe> FromBos(const ComparedChoice& choice);
  Maybe FromRounding(const ComparedChoice& choice) const;
  Finding Unknown(const ComparedChoice& choice);

  const ScoredSide& ours_;
  const ScoredSide& theirs_;
  const std::vector<ComparedChoice>& choices_;
  std::string our_dtype_, their_dtype_;  // known, or seen in the numbers
  bool small_and_balanced_ = false;      // what differs although its text is the same
  std::optional<bool> bos_matters_;      // the next two are computed when first asked for
  std::optional<bool> only_long_differ_;
  std::set<std::string> open_;          // of the choice that is looked at
  std::set<std::string> would_decide_;  // of all that stayed unknown
};

}  // namespace couplingd
