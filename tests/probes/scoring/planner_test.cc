#include "probes/scoring/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace couplingd {
namespace {

std::vector<ScoringRequest> RandomRequests(unsigned seed, int count, int symbols) {
  std::mt19937 random(seed);
  std::vector<ScoringRequest> requests(static_cast<std::size_t>(count));
  for (ScoringRequest& request : requests) {
    const std::size_t size = 2 + random() % 12;
    for (std::size_t i = 0; i < size; ++i) {
      request.tokens.push_back(static_cast<TokenId>(random() % symbols));
    }
    request.scored_from = 1 + static_cast<int>(random() % (size - 1));
  }
  return requests;
}

// The tokens from the root to this one.
std::vector<TokenId> PathTo(const ForwardPlan& plan, std::int64_t row) {
  std::int32_t at = 0;
  while (plan.segments[at].end <= row) ++at;
  std::vector<TokenId> path(plan.tokens.begin() + plan.segments[at].begin,
                            plan.tokens.begin() + row + 1);
  for (at = plan.segments[at].parent; at >= 0; at = plan.segments[at].parent) {
    path.insert(path.begin(), plan.tokens.begin() + plan.segments[at].begin,
                plan.tokens.begin() + plan.segments[at].end);
  }
  return path;
}

std::size_t DistinctPrefixes(const std::vector<ScoringRequest>& requests) {
  std::set<std::vector<TokenId>> prefixes;
  for (const ScoringRequest& request : requests) {
    for (std::size_t size = 1; size < request.tokens.size(); ++size) {
      prefixes.insert({request.tokens.begin(), request.tokens.begin() + size});
    }
  }
  return prefixes.size();
}

TEST(Planner, ForwardsEachDistinctPrefixOnceAndReadsWhatIsAsked) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    const auto requests = RandomRequests(seed, 50, 2 + seed % 3);
    for (const int budget : {1, 7, 1000}) {
      const ScoringPlan plan = PlanScoring(requests, budget).value();
      const ForwardPlan& forward = plan.forward;
      EXPECT_EQ(forward.tokens.size(), DistinctPrefixes(requests));
      for (std::size_t i = 0; i < requests.size(); ++i) {
        const auto& [tokens, scored_from] = requests[i];
        ASSERT_EQ(plan.first_read[i + 1] - plan.first_read[i], std::ssize(tokens) - scored_from);
        for (std::int64_t k = scored_from; k < std::ssize(tokens); ++k) {
          const TokenRead& read = forward.reads[plan.read_of[plan.first_read[i] + k - scored_from]];
          EXPECT_EQ(read.target, tokens[k]);
          EXPECT_EQ(PathTo(forward, read.row),
                    std::vector<TokenId>(tokens.begin(), tokens.begin() + k));
        }
      }
    }
  }
}

TEST(Planner, PacksAreDepthFirstWithinTheBudgetAndCoverEverything) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const int budget = 3 + static_cast<int>(seed);
    const ForwardPlan plan = PlanScoring(RandomRequests(seed, 60, 3), budget).value().forward;
    std::int64_t token = 0, read = 0;
    std::int32_t segment = 0;
    for (std::size_t p = 0; p < plan.packs.size(); ++p) {
      const ForwardPack& pack = plan.packs[p];
      EXPECT_EQ(pack.token_begin, token);
      EXPECT_EQ(pack.read_begin, read);
      EXPECT_EQ(pack.segment_begin, segment);
      EXPECT_LE(pack.rows(), budget);
      for (std::int32_t at = pack.segment_begin; at < pack.segment_end; ++at) {
        const Segment& here = plan.segments[at];
        EXPECT_LT(here.parent, at);
        const std::int32_t above = here.parent;
        EXPECT_EQ(here.position, above < 0
                                     ? 0
                                     : plan.segments[above].position + plan.segments[above].end -
                                           plan.segments[above].begin);
        EXPECT_GE(here.last_pack, static_cast<std::int32_t>(p));
        if (above >= 0) {
          EXPECT_GE(plan.segments[above].last_pack, here.last_pack);
        }
      }
      for (std::int64_t at = pack.read_begin; at < pack.read_end; ++at) {
        EXPECT_GE(plan.reads[at].row, pack.token_begin);
        EXPECT_LT(plan.reads[at].row, pack.token_end);
      }
      token = pack.token_end;
      read = pack.read_end;
      segment = pack.segment_end;
    }
    EXPECT_EQ(token, std::ssize(plan.tokens));
    EXPECT_EQ(read, std::ssize(plan.reads));
    EXPECT_EQ(segment, std::ssize(plan.segments));
  }
}

TEST(Planner, LongSequencesShareNothingWithShortOnesWhereTheModelTellsThemApart) {
  const auto requests = RandomRequests(11, 80, 3);
  constexpr std::int64_t kShort = 6;
  const ScoringPlan plan = PlanScoring(requests, 40, kShort).value();
  const ForwardPlan& forward = plan.forward;
  const auto segment_of = [&](std::int64_t row) {
    std::int32_t at = 0;
    while (forward.segments[at].end <= row) ++at;
    return at;
  };
  std::map<std::int32_t, std::set<bool>>
      classes;  // segment → whether the texts through it are long
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto& tokens = requests[i].tokens;
    for (int k = requests[i].scored_from; k < std::ssize(tokens); ++k) {
      const auto read = static_cast<std::size_t>(plan.first_read[i]) + k - requests[i].scored_from;
      const std::int64_t row = forward.reads[plan.read_of[read]].row;
      EXPECT_EQ(PathTo(forward, row), std::vector<TokenId>(tokens.begin(), tokens.begin() + k));
      for (std::int32_t at = segment_of(row); at >= 0; at = forward.segments[at].parent) {
        classes[at].insert(std::ssize(tokens) - 1 > kShort);
      }
    }
  }
  std::set<bool> seen;
  for (const auto& [segment, of] : classes) {
    EXPECT_EQ(of.size(), 1u) << segment;
    seen.insert(of.begin(), of.end());
  }
  EXPECT_EQ(seen.size(), 2u);
}

TEST(Planner, DoesNotDependOnTheOrderOfTheRequests) {
  auto requests = RandomRequests(7, 80, 3);
  const ForwardPlan plan = PlanScoring(requests, 16).value().forward;
  std::ranges::reverse(requests);
  const ForwardPlan reversed = PlanScoring(requests, 16).value().forward;
  EXPECT_EQ(plan.tokens, reversed.tokens);
  EXPECT_EQ(plan.reads, reversed.reads);
  EXPECT_EQ(plan.packs.size(), reversed.packs.size());
}

TEST(Planner, CountsWhatASinglePassPerRequestWouldForward) {
  const std::vector<ScoringRequest> requests = {{{1, 2, 3}, 2}, {{1, 2, 4, 5}, 2}};
  const ScoringPlan plan = PlanScoring(requests, 8).value();
  EXPECT_EQ(plan.naive_tokens, 5);
  EXPECT_EQ(plan.forward.tokens, (std::vector<TokenId>{1, 2, 4}));
}

TEST(Planner, RefusesRequestsThatScoreNothingOrTheFirstToken) {
  const auto refused = [](ScoringRequest request) {
    return !PlanScoring(std::vector{std::move(request)}, 8).has_value();
  };
  EXPECT_TRUE(refused({{1, 2}, 0}));
  EXPECT_TRUE(refused({{1, 2}, 2}));
  EXPECT_TRUE(refused({{}, 1}));
  EXPECT_FALSE(PlanScoring(std::vector<ScoringRequest>{{{1, 2}, 1}}, 0).has_value());
}

TEST(Planner, AcceptsNoRequests) {
  const ScoringPlan plan = PlanScoring({}, 8).value();
  EXPECT_TRUE(plan.forward.packs.empty());
  EXPECT_EQ(plan.first_read, std::vector<std::int64_t>{0});
}

}  // namespace
}  // namespace couplingd
