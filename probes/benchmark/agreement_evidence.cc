#include "probes/benchmark/agreement_evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "probes/benchmark/json_lines.h"

namespace couplingd {
namespace {

constexpr std::size_t kNoWindow = std::size_t{1} << 30;

// How far apart rounding to 16 bits brings the log-likelihoods of a model: seldom beyond the first,
// never beyond the second.
double SmallDifference(const ComparedChoice& choice) {
  return 0.02 * choice.weight + 0.005 * std::abs(choice.theirs);
}
double LargestRounding(const ComparedChoice& choice) {
  return 0.1 * choice.weight + 0.02 * std::abs(choice.theirs);
}

double PerToken(const ComparedChoice& choice) {
  return std::abs(choice.ours - choice.theirs) / choice.weight;
}

bool IsHalf(const std::string& dtype) { return dtype == "bf16" || dtype == "fp16"; }

std::string OrUnknown(const std::string& dtype) { return dtype.empty() ? "another format" : dtype; }

}  // namespace

EvidenceFinder::EvidenceFinder(const ScoredSide& ours, const ScoredSide& theirs,
                               const std::vector<ComparedChoice>& choices)
    : ours_(ours), theirs_(theirs), choices_(choices) {
  our_dtype_ = ours.dtype.empty() ? HalfFormatOf(ours.scores) : ours.dtype;
  their_dtype_ = theirs.dtype.empty() ? HalfFormatOf(theirs.scores) : theirs.dtype;
  LookAtDifferences();
}

// Rounding errs to both sides, and by little.
void EvidenceFinder::LookAtDifferences() {
  constexpr std::size_t kFewest = 6;
  std::size_t count = 0, up = 0, small = 0;
  for (const ComparedChoice& choice : choices_) {
    if (choice.agrees || !HaveEqualTexts(choice)) continue;
    ++count;
    up += choice.ours > choice.theirs;
    small += std::abs(choice.ours - choice.theirs) <= SmallDifference(choice);
  }
  const bool balanced = 5 * std::min(up, count - up) >= count;
  small_and_balanced_ = count >= kFewest && balanced && 20 * small >= 19 * count;
}

RequestText EvidenceFinder::OurText(const ComparedChoice& choice) const {
  return RequestTextOf(ours_.pack, ours_.pack.items[choice.our_item], choice.choice);
}
RequestText EvidenceFinder::TheirText(const ComparedChoice& choice) const {
  return RequestTextOf(theirs_.pack, theirs_.pack.items[choice.their_item], choice.choice);
}
bool EvidenceFinder::HaveEqualTexts(const ComparedChoice& choice) const {
  return OurText(choice) == TheirText(choice);
}

Result<std::vector<TokenId>> EvidenceFinder::Encode(const Tokenizer& tokenizer,
                                                    const ComparedChoice& choice,
                                                    BosMode bos) const {
  const PackItem& item = ours_.pack.items[choice.our_item];
  Pack alone = {.name = ours_.pack.name, .delimiter = ours_.pack.delimiter};
  alone.items = {{.id = item.id,
                  .contexts = {item.ContextOf(choice.choice)},
                  .choices = {item.choices[choice.choice]},
                  .labels = {true}}};
  auto requests = TRY(EncodeRequests(alone, tokenizer, {.bos = bos, .max_length = kNoWindow}));
  return std::move(requests[0].tokens);
}

Result<EvidenceFinder::Maybe> EvidenceFinder::FromTokens(const ComparedChoice& choice) const {
  const auto tokenizer_found = [](std::string evidence) {
    return Maybe(Finding{DifferenceCause::kTokenizer, std::move(evidence)});
  };
  if (!ours_.tokenizer) return Maybe();
  for (const SpecialToken& special : theirs_.specials) {
    const std::optional<TokenId> id = ours_.tokenizer->IdOf(special.text);
    if (id == special.id) continue;
    return tokenizer_found(fmt::format("their {} is token {}, ours {}", special.text, special.id,
                                       id ? fmt::format("is token {}", *id) : "does not exist"));
  }
  if (!theirs_.tokenizer || theirs_.tokenizer->hash() == ours_.tokenizer->hash()) return Maybe();
  const auto ours = TRY(Encode(*ours_.tokenizer, choice, BosMode::kFalse));
  const auto theirs = TRY(Encode(*theirs_.tokenizer, choice, BosMode::kFalse));
  if (ours.size() != theirs.size()) {
    return tokenizer_found(
        fmt::format("the same text is {} tokens here and {} there", ours.size(), theirs.size()));
  }
  const auto [mine, other] = std::ranges::mismatch(ours, theirs);
  if (mine == ours.end()) return Maybe();
  return tokenizer_found(fmt::format("token {} of the same text is {} here and {} there",
                                     mine - ours.begin(), *mine, *other));
}

Result<bool> EvidenceFinder::OnlyLongOnesDiffer(std::size_t window) {
  if (only_long_differ_) return *only_long_differ_;
  bool any_short = false, all_short_agree = true;
  for (const ComparedChoice& choice : choices_) {
    if (!HaveEqualTexts(choice)) continue;
    const auto tokens = TRY(Encode(*ours_.tokenizer, choice, ours_.bos.value_or(BosMode::kAuto)));
    if (tokens.size() > window + 1) continue;
    any_short = true;
    all_short_agree &= choice.agrees;
  }
  only_long_differ_ = any_short && all_short_agree;
  return *only_long_differ_;
}

Result<EvidenceFinder::Maybe> EvidenceFinder::FromWindows(const ComparedChoice& choice) {
  if (!ours_.tokenizer || ours_.max_length == theirs_.max_length) return Maybe();
  const std::size_t window =
      std::min(ours_.max_length.value_or(kNoWindow), theirs_.max_length.value_or(kNoWindow));
  const auto tokens = TRY(Encode(*ours_.tokenizer, choice, ours_.bos.value_or(BosMode::kAuto)));
  if (tokens.size() <= window + 1) return Maybe();
  if (ours_.max_length && theirs_.max_length) {
    return Maybe(Finding{DifferenceCause::kTruncation,
                         fmt::format("it has {} tokens; ours takes {}, theirs {}", tokens.size(),
                                     *ours_.max_length, *theirs_.max_length)});
  }
  if (!TRY(OnlyLongOnesDiffer(window))) {
    open_.insert(
        fmt::format("how many positions {} model took (--{}max-length, or its results file)",
                    ours_.max_length ? "their" : "our", ours_.max_length ? "their-" : ""));
    return Maybe();
  }
  return Maybe(Finding{DifferenceCause::kTruncation,
                       fmt::format("it has {} tokens where one side takes {}, and no choice that "
                                   "fits differs",
                                   tokens.size(), window)});
}

Result<EvidenceFinder::Maybe> EvidenceFinder::FromBos(const ComparedChoice& choice) {
  if (!ours_.tokenizer) return Maybe();
  const auto encode = [&](BosMode bos) { return Encode(*ours_.tokenizer, choice, bos); };
  if (!ours_.bos || !theirs_.bos) {
    if (!bos_matters_) {
      const auto without = TRY(encode(BosMode::kFalse));
      bos_matters_ = TRY(encode(BosMode::kAuto)) != without ||
                     (ours_.tokenizer->bos_id() && TRY(encode(BosMode::kTrue)) != without);
    }
    if (*bos_matters_) {
      open_.insert(
          "whether each side put BOS first (--bos, --their-bos: lm-eval's add_bos_token), or the "
          "same comparison with an evaluation under the other --bos");
    }
    return Maybe();
  }
  if (*ours_.bos == *theirs_.bos) return Maybe();
  const auto mine = TRY(encode(*ours_.bos)), other = TRY(encode(*theirs_.bos));
  const auto& longer = mine.size() > other.size() ? mine : other;
  const auto& shorter = mine.size() > other.size() ? other : mine;
  const bool only_first = longer.size() == shorter.size() + 1 &&
                          std::equal(shorter.begin(), shorter.end(), longer.begin() + 1);
  if (!only_first) return Maybe();
  return Maybe(Finding{DifferenceCause::kBos,
                       fmt::format("{} begin with token {}, {}, and every other token is equal",
                                   &longer == &mine ? "ours" : "theirs", longer[0],
                                   &longer == &mine ? "theirs do not" : "ours do not")});
}

EvidenceFinder::Maybe EvidenceFinder::FromRounding(const ComparedChoice& choice) const {
  const double difference = std::abs(choice.ours - choice.theirs);
  const bool known = !ours_.dtype.empty() && !theirs_.dtype.empty();
  const bool formats_differ =
      our_dtype_ != their_dtype_ && (IsHalf(our_dtype_) || IsHalf(their_dtype_));
  if (formats_differ && difference <= LargestRounding(choice)) {
    const bool seen = !known;
    return Finding{
        DifferenceCause::kDtype,
        fmt::format("ours in {}, theirs in {}{}; {:.4f} per token", OrUnknown(our_dtype_),
                    OrUnknown(their_dtype_),
                    seen ? " (as their numbers or what is stored say)" : "", PerToken(choice))};
  }
  if (known || IsHalf(our_dtype_) || IsHalf(their_dtype_) || !small_and_balanced_) {
    return std::nullopt;
  }
  if (difference > SmallDifference(choice)) return std::nullopt;
  return Finding{DifferenceCause::kDtype,
                 fmt::format("as small as rounding makes it and of both signs over the choices of "
                             "equal text; {:.4f} per token",
                             PerToken(choice))};
}

Finding EvidenceFinder::Unknown(const ComparedChoice& choice) {
  if (!ours_.tokenizer) {
    open_.insert("the checkpoint's tokenizer (--tokenizer DIR): tokens, truncation and BOS");
  } else if (!theirs_.tokenizer && theirs_.specials.empty()) {
    open_.insert("their tokenizer (--their-tokenizer DIR, or their results file)");
  }
  if (our_dtype_.empty()) open_.insert("our dtype (--dtype)");
  if (their_dtype_.empty()) {
    open_.insert("their dtype (--their-dtype, or their results file)");
  }
  if (open_.empty()) {
    open_.insert("whether both read the same weights: evaluate the model that their results name");
  }
  would_decide_.merge(open_);
  return {DifferenceCause::kUnknown,
          fmt::format("the texts are equal; {:.4f} per token is not explained", PerToken(choice))};
}

Result<Finding> EvidenceFinder::Find(const ComparedChoice& choice) {
  open_.clear();
  if (Maybe found = FromTexts(choice)) return *std::move(found);
  if (Maybe found = TRY(FromTokens(choice))) return *std::move(found);
  if (Maybe found = TRY(FromWindows(choice))) return *std::move(found);
  if (Maybe found = TRY(FromBos(choice))) return *std::move(found);
  if (Maybe found = FromRounding(choice)) return *std::move(found);
  return Unknown(choice);
}

std::vector<std::string> EvidenceFinder::WouldDecide() const {
  return {would_decide_.begin(), would_decide_.end()};
}

}  // namespace couplingd
