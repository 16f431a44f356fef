#include "probes/scoring/scorer.h"

#include <fmt/format.h>

namespace couplingd {
namespace {

// Brings back the keys and values that packs from `first` on attend to.
Status RestoreKept(Decoder& decoder, const ForwardPlan& plan, std::size_t first) {
  decoder.Forget();
  for (std::size_t pack = 0; pack < first; ++pack) {
    bool is_needed = false;
    for (std::int32_t at = plan.packs[pack].segment_begin; at < plan.packs[pack].segment_end;
         ++at) {
      const auto last =
          static_cast<std::size_t>(plan.segments[static_cast<std::size_t>(at)].last_pack);
      is_needed = is_needed || last >= first;
    }
    if (is_needed) TRY(decoder.Restore(plan, pack));
  }
  return {};
}

std::unexpected<Error> Stopped(std::size_t done, const ForwardPlan& plan) {
  return Fail(ErrorKind::kCancelled,
              fmt::format("scoring was stopped after {} of {} packs", done, plan.packs.size()));
}

}  // namespace

Result<std::vector<ContinuationScore>> ScoreRequests(Decoder& decoder, const ScoringPlan& plan,
                                                     const ScoringProgress& progress,
                                                     const ScoreLog* log) {
  const ForwardPlan& forward = plan.forward;
  std::vector<TokenScore> tokens(forward.reads.size());
  const std::size_t restored = log == nullptr ? 0 : log->Restore(forward, tokens);
  if (restored > 0 && restored < forward.packs.size()) {
    TRY(RestoreKept(decoder, forward, restored));
  }
  if (!progress(restored, forward.packs.size())) return Stopped(restored, forward);
  for (std::size_t pack = restored; pack < forward.packs.size(); ++pack) {
    TRY(decoder.Run(forward, pack, tokens));
    if (log != nullptr) TRY(log->Add(forward, pack, tokens));
    if (!progress(pack + 1, forward.packs.size())) return Stopped(pack + 1, forward);
  }

  std::vector<ContinuationScore> scores;
  scores.reserve(plan.first_read.size());
  for (std::size_t request = 0; request + 1 < plan.first_read.size(); ++request) {
    ContinuationScore score{.is_greedy = true};
    for (std::int64_t i = plan.first_read[request]; i < plan.first_read[request + 1]; ++i) {
      const TokenScore& token = tokens[static_cast<std::size_t>(plan.read_of[i])];
      score.log_likelihood += token.log_probability;
      score.is_greedy = score.is_greedy && token.is_argmax;
    }
    scores.push_back(score);
  }
  return scores;
}

}  // namespace couplingd
