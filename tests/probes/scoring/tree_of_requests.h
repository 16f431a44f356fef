#pragma once

#include <random>
#include <vector>

#include "probes/scoring/planner.h"

namespace couplingd {

// Questions that share a preamble, each with answers that share beginnings.
inline std::vector<ScoringRequest> TreeOfRequests(unsigned seed, TokenId vocabulary,
                                                  int questions = 12) {
  std::mt19937 random(seed);
  const auto tokens = [&](int count) {
    std::vector<TokenId> made;
    for (int i = 0; i < count; ++i) made.push_back(static_cast<TokenId>(random() % vocabulary));
    return made;
  };
  const auto append = [](std::vector<TokenId> to, const std::vector<TokenId>& more) {
    to.insert(to.end(), more.begin(), more.end());
    return to;
  };
  std::vector<ScoringRequest> requests;
  const std::vector<TokenId> preamble = tokens(21);
  for (int question = 0; question < questions; ++question) {
    const std::vector<TokenId> context =
        append(preamble, tokens(3 + static_cast<int>(random() % 8)));
    const std::vector<TokenId> begun = append(context, tokens(2));
    for (int answer = 0; answer < 5; ++answer) {
      requests.push_back(
          {append(answer % 2 == 0 ? begun : context, tokens(1 + static_cast<int>(random() % 9))),
           static_cast<int>(context.size())});
    }
  }
  requests.push_back({tokens(30), 1});
  // Shorter than what LongRoPE calls long, with the same beginning.
  requests.push_back({{preamble.begin(), preamble.begin() + 12}, 4});
  return requests;
}

}  // namespace couplingd
