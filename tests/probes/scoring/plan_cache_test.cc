#include "probes/scoring/plan_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <limits>

#include "base/files.h"
#include "base/hash.h"

namespace couplingd {
namespace {

namespace fs = std::filesystem;

// Three levels, texts of different lengths, packs of 8 tokens.
std::vector<ScoringRequest> Requests() {
  std::vector<ScoringRequest> requests;
  for (TokenId a = 0; a < 3; ++a) {
    for (TokenId b = 0; b < 4; ++b) {
      ScoringRequest request{{1, 2, 3, 10 + a, 4, 20 + b, 5}, 3 + b % 2};
      for (TokenId more = 0; more < a; ++more) request.tokens.push_back(30 + more);
      requests.push_back(std::move(request));
    }
  }
  return requests;
}
constexpr PlanBounds kBounds{.vocab_size = 40, .max_positions = 10, .token_budget = 8};
ScoringPlan Plan() { return PlanScoring(Requests(), kBounds.token_budget).value(); }
const std::vector<std::int64_t> kTruncated = {0, 3};

using Rows = std::vector<std::vector<std::int64_t>>;

// All numbers of a plan.
Rows NumbersOf(const ScoringPlan& plan) {
  Rows rows = {plan.first_read, plan.read_of, {plan.naive_tokens}};
  rows.emplace_back(plan.forward.tokens.begin(), plan.forward.tokens.end());
  for (const Segment& s : plan.forward.segments) {
    rows.push_back({s.begin, s.end, s.parent, s.position, s.last_pack});
  }
  for (const ForwardPack& p : plan.forward.packs) {
    rows.push_back(
        {p.segment_begin, p.segment_end, p.token_begin, p.token_end, p.read_begin, p.read_end});
  }
  for (const TokenRead& read : plan.forward.reads) rows.push_back({read.row, read.target});
  return rows;
}

class PlanCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/couplingd-plans-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(directory_); }

  PlanCache Cache(const std::string& key = std::string(32, 'a')) const {
    return PlanCache(directory_, key);
  }
  std::string Path(const std::string& key = std::string(32, 'a')) const {
    return directory_ + "/." + key + ".planned";
  }
  std::optional<KeptPlan> Read(const PlanBounds& bounds = kBounds) const {
    return Cache().Read(bounds, kTruncated.size(), Requests().size());
  }

  std::string directory_;
};

TEST_F(PlanCacheTest, GivesBackTheSamePlan) {
  EXPECT_FALSE(Read());
  Cache().Write(Plan(), kTruncated);
  const std::optional<KeptPlan> kept = Read();
  ASSERT_TRUE(kept);
  EXPECT_EQ(NumbersOf(kept->plan), NumbersOf(Plan()));
  EXPECT_EQ(kept->truncated, kTruncated);
}

TEST_F(PlanCacheTest, IgnoresAFileInWhichAnythingIsDamaged) {
  Cache().Write(Plan(), kTruncated);
  const std::string whole = ReadFile(Path()).value();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    ASSERT_TRUE(WriteFileAtomically(Path(), damaged));
    EXPECT_FALSE(Read()) << "byte " << i;
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{39}, whole.size() / 2, whole.size() - 1}) {
    ASSERT_TRUE(WriteFileAtomically(Path(), whole.substr(0, size)));
    EXPECT_FALSE(Read()) << size << " bytes";
  }
  Cache().Write(Plan(), kTruncated);
  EXPECT_TRUE(Read());
}

TEST_F(PlanCacheTest, IgnoresAPlanForSomethingElse) {
  Cache().Write(Plan(), kTruncated);
  EXPECT_FALSE(Read({.vocab_size = 31, .max_positions = 10, .token_budget = 8}));
  EXPECT_FALSE(Read({.vocab_size = 40, .max_positions = 5, .token_budget = 8}));
  EXPECT_FALSE(Cache().Read(kBounds, 1, Requests().size()));
  EXPECT_FALSE(Cache().Read(kBounds, 2, Requests().size() + 1));
  const std::string other(32, 'b');
  fs::copy_file(Path(), Path(other));
  EXPECT_FALSE(Cache(other).Read(kBounds, kTruncated.size(), Requests().size()));
}

TEST_F(PlanCacheTest, KeepsTheNewestOnly) {
  for (int i = 0; i < 20; ++i) {
    const std::string key(32, static_cast<char>('a' + i));
    Cache(key).Write(Plan(), kTruncated);
    const auto age = std::chrono::minutes(20 - i);
    if (i < 19) fs::last_write_time(Path(key), fs::file_time_type::clock::now() - age);
    if (i == 3) {
      ASSERT_TRUE(WriteFileAtomically(directory_ + "/other.planned", "x"));
    }
    // The first one is used all the time.
    ASSERT_TRUE(Read()) << i;
  }
  std::size_t plans = 0;
  for (const auto& entry : fs::directory_iterator(directory_)) {
    plans += entry.path().filename().string().starts_with('.');
  }
  EXPECT_EQ(plans, PlanCache::kMostFiles);
  EXPECT_TRUE(fs::exists(Path()));
  EXPECT_FALSE(fs::exists(Path(std::string(32, 'b'))));
  EXPECT_TRUE(fs::exists(Path(std::string(32, 't'))));
  EXPECT_TRUE(fs::exists(directory_ + "/other.planned"));
}

// Whoever wrote it closed it with the right hash.
TEST(AssemblePlan, RefusesWhatDoesNotFitTogether) {
  using Change = std::function<void(ScoringPlan&)>;
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::pair<const char*, Change>> changes = {
      {"a token below 0", [](ScoringPlan& p) { p.forward.tokens[1] = -1; }},
      {"a token beyond the vocabulary", [](ScoringPlan& p) { p.forward.tokens[1] = 40; }},
      {"a token more", [](ScoringPlan& p) { p.forward.tokens.push_back(1); }},
      {"no tokens", [](ScoringPlan& p) { p.forward.tokens.clear(); }},
      {"an empty segment",
       [](ScoringPlan& p) { p.forward.segments[1].end = p.forward.segments[1].begin; }},
      {"a gap", [](ScoringPlan& p) { ++p.forward.segments[1].begin; }},
      {"an end before the beginning",
       [](ScoringPlan& p) { p.forward.segments[1].end = -kLargest; }},
      {"an end beyond everything",
       [](ScoringPlan& p) { p.forward.segments.back().end = kLargest; }},
      {"a parent of its own", [](ScoringPlan& p) { p.forward.segments[1].parent = 1; }},
      {"a parent that comes later", [](ScoringPlan& p) { p.forward.segments[1].parent = 2; }},
      {"a parent below −1", [](ScoringPlan& p) { p.forward.segments[1].parent = -2; }},
      {"a parent beside the path", [](ScoringPlan& p) { p.forward.segments.back().parent = 2; }},
      {"a row beyond the tokens", [](ScoringPlan& p) { p.forward.reads.back().row = 1000; }},
      {"a row below 0", [](ScoringPlan& p) { p.forward.reads.front().row = -1; }},
      {"a target beyond the vocabulary",
       [](ScoringPlan& p) { p.forward.reads.back().target = 40; }},
      {"reads out of order",
       [](ScoringPlan& p) { std::swap(p.forward.reads[0], p.forward.reads[1]); }},
      {"a read twice", [](ScoringPlan& p) { p.forward.reads[1] = p.forward.reads[0]; }},
      {"a prediction that is not read", [](ScoringPlan& p) { p.read_of[0] = kLargest; }},
      {"a prediction below 0", [](ScoringPlan& p) { p.read_of[0] = -1; }},
      {"a request without predictions", [](ScoringPlan& p) { p.first_read[1] = 0; }},
      {"predictions that nobody asked for", [](ScoringPlan& p) { p.read_of.push_back(0); }},
      {"no requests", [](ScoringPlan& p) { p.first_read.clear(); }},
      {"requests from the middle on", [](ScoringPlan& p) { p.first_read[0] = 1; }},
  };
  ASSERT_TRUE(AssemblePlan(Plan(), kBounds));
  for (const auto& [what, change] : changes) {
    ScoringPlan plan = Plan();
    change(plan);
    const auto assembled = AssemblePlan(std::move(plan), kBounds);
    ASSERT_FALSE(assembled) << what;
    EXPECT_EQ(assembled.error().kind, ErrorKind::kInvalidData) << what;
  }
  EXPECT_FALSE(AssemblePlan(Plan(), {.vocab_size = 40, .max_positions = 10, .token_budget = 1}));
}

}  // namespace
}  // namespace couplingd
