#include "probes/cuda/token_scores.h"

#include <ATen/ops/_log_softmax.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "probes/model/row_scores.h"

namespace couplingd {
namespace {

std::vector<float> RandomLogits(unsigned seed, std::size_t count, float spread) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

// The row as the kernel goes over it: `threads` interleaved parts, merged pairwise.
RowSummary Summarise(const std::vector<float>& row, std::size_t threads) {
  std::vector<RowSummary> parts(threads);
  for (std::size_t i = 0; i < row.size(); ++i) {
    parts[i % threads].Add(row[i], static_cast<std::int64_t>(i));
  }
  for (std::size_t distance = threads / 2; distance > 0; distance /= 2) {
    for (std::size_t i = 0; i < distance; ++i) parts[i].Merge(parts[i + distance]);
  }
  return parts[0];
}

TEST(RowSummary, AgreesWithLogSoftmaxOfAten) {
  const TensorFactory factory(at::kCPU, at::kFloat);
  for (const float spread : {0.1f, 3.0f, 40.0f}) {
    for (const std::size_t vocab : {1u, 7u, 1000u, 50257u}) {
      const std::vector<float> row = RandomLogits(11, vocab, spread);
      const at::Tensor expected = at::_log_softmax(
          factory.Values(row, {1, static_cast<std::int64_t>(vocab)}, at::kFloat), -1, false);
      for (const std::size_t threads : {1u, 256u}) {
        if (threads == 1 && vocab > 1000) continue;  // one fp32 sum over a long row is no use
        const RowSummary summary = Summarise(row, threads);
        const auto largest = std::ranges::max_element(row) - row.begin();
        EXPECT_EQ(summary.argmax, largest);
        for (std::size_t i = 0; i < vocab; i += 1 + vocab / 50) {
          const float value = expected.const_data_ptr<float>()[i];
          EXPECT_NEAR(summary.LogProbability(row[i]), value, 1e-5f + 2e-6f * std::abs(value));
        }
      }
    }
  }
}

TEST(RowSummary, TakesTheFirstOfEqualMaxima) {
  const std::vector<float> row = {1, 5, 2, 5, 5};
  for (const std::size_t threads : {1u, 2u, 4u, 8u}) {
    EXPECT_EQ(Summarise(row, threads).argmax, 1) << threads;
  }
}

TEST(RowSummary, IgnoresMinusInfinityAndSpreadsNan) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> masked = {-kInfinity, 2, -kInfinity, 2, -kInfinity};
  for (const std::size_t threads : {1u, 4u, 8u}) {
    EXPECT_FLOAT_EQ(Summarise(masked, threads).LogProbability(2), -std::log(2.0f));
    for (std::size_t at = 0; at < 5; ++at) {
      std::vector<float> row = {1, 2, 3, 4, 5};
      row[at] = std::nanf("");
      EXPECT_TRUE(std::isnan(Summarise(row, threads).LogProbability(1))) << at;
      row[at] = kInfinity;
      EXPECT_FALSE(std::isfinite(Summarise(row, threads).LogProbability(1))) << at;
    }
  }
}

LogitTile TilesOf(const at::Tensor& logits) {
  return [logits](std::int64_t row, std::int64_t rows, std::int64_t first, std::int64_t count) {
    return logits.narrow(0, row, rows).narrow(1, first, count);
  };
}

TEST(ScoreRows, JoinsTilesOfTheVocabularyAsOneSoftmaxOfAtenWould) {
  const TensorFactory factory(at::kCPU, at::kFloat);
  constexpr std::int64_t kRows = 300, kVocab = 5003;
  std::vector<float> logits = RandomLogits(7, kRows * kVocab, 4);
  std::vector<TokenRead> reads;
  std::vector<std::int64_t> row_of;
  for (std::int64_t row = 0; row < kRows; ++row) {
    float* of_row = logits.data() + row * kVocab;
    const auto largest = std::max_element(of_row, of_row + kVocab) - of_row;
    // Equal maxima in other tiles, before or behind the first.
    if (row % 3 == 1) of_row[(largest + 2000) % kVocab] = of_row[largest];
    for (std::int64_t i = 0; i < row % 4; ++i) {
      const std::int64_t target = i == 0   ? largest
                                  : i == 1 ? (largest + 2000) % kVocab
                                           : kVocab - 1;
      reads.push_back({row, static_cast<TokenId>(target)});
      row_of.push_back(row);
    }
  }
  const at::Tensor values = factory.Values(logits, {kRows, kVocab}, at::kFloat);
  const at::Tensor expected = at::_log_softmax(values, -1, false);
  std::vector<TokenScore> scores(reads.size());
  ASSERT_TRUE(ScoreRows(kRows, kVocab, TilesOf(values), reads, row_of, factory, {}, scores));
  for (std::size_t i = 0; i < reads.size(); ++i) {
    const std::int64_t at = reads[i].row * kVocab + reads[i].target;
    EXPECT_NEAR(scores[i].log_probability, expected.const_data_ptr<float>()[at], 1e-5) << i;
    const auto of_row = logits.begin() + reads[i].row * kVocab;
    EXPECT_EQ(scores[i].is_argmax,
              std::max_element(of_row, of_row + kVocab) - of_row == reads[i].target);
  }
}

TEST(ScoreRows, MakesAScoreOfNanOrInfinityNan) {
  const TensorFactory factory(at::kCPU, at::kFloat);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    for (const std::size_t at : {0u, 1500u, 2999u}) {
      std::vector<float> logits = RandomLogits(3, 3000, 1);
      logits[at] = bad;
      const std::vector<TokenRead> reads = {{0, 5}};
      std::vector<TokenScore> scores(1);
      const LogitTile tiles = TilesOf(factory.Values(logits, {1, 3000}, at::kFloat));
      ASSERT_TRUE(
          ScoreRows(1, 3000, tiles, reads, std::vector<std::int64_t>{0}, factory, {}, scores));
      EXPECT_FALSE(std::isfinite(scores[0].log_probability)) << bad << " at " << at;
    }
  }
}

TEST(ScoreRows, LooksUpSeveralTargetsOfOneRow) {
  const TensorFactory factory(at::kCPU, at::kFloat);
  const std::vector<float> logits = {0, 1, 2, 9, 9, 3};
  const std::vector<TokenRead> reads = {{0, 0}, {0, 2}, {1, 0}, {1, 1}};
  const std::vector<std::int64_t> row_of = {0, 0, 1, 1};
  std::vector<TokenScore> scores(4);
  const at::Tensor values = factory.Values(logits, {2, 3}, at::kFloat);
  ASSERT_TRUE(ScoreRows(2, 3, TilesOf(values), reads, row_of, factory, {}, scores));
  for (std::size_t i = 0; i < reads.size(); ++i) {
    const std::size_t first = static_cast<std::size_t>(row_of[i]) * 3;
    const std::vector<float> row(logits.begin() + first, logits.begin() + first + 3);
    const RowSummary summary = Summarise(row, 1);
    EXPECT_NEAR(scores[i].log_probability, summary.LogProbability(row[reads[i].target]), 1e-6);
    EXPECT_EQ(scores[i].is_argmax, summary.argmax == reads[i].target) << i;
  }
}

}  // namespace
}  // namespace couplingd
