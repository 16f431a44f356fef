#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "probes/device/place.h"
#include "probes/model/row_scores.h"

namespace couplingd {
namespace {

// The kernel against ATen on the CPU, over the same stored logits.
void Compare(ComputeType type, at::ScalarType stored) {
  const auto place = ChoosePlace({.device = "cuda",
                                  .dtype = std::string(ToString(type)),
                                  .cuda_library = COUPLINGD_BINARY_DIR "/libcouplingd_cuda.so"});
  if (!place) GTEST_SKIP() << place.error().Text();
  constexpr std::int64_t kRows = 33, kVocab = 50257;
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 4);
  std::vector<float> logits(kRows * kVocab);
  for (float& logit : logits) logit = normal(random);
  std::vector<TokenRead> reads;
  std::vector<std::int64_t> row_of;
  for (std::int64_t row = 0; row < kRows; ++row) {
    for (std::int64_t i = 0; i < row % 4; ++i) {
      reads.push_back({row, static_cast<TokenId>(random() % kVocab)});
      row_of.push_back(row);
    }
  }
  const TensorFactory host(at::kCPU, stored);
  const TensorFactory device(*place);
  const at::Tensor on_host = host.Values(logits, {kRows, kVocab}, stored);
  std::vector<TokenScore> expected(reads.size()), scores(reads.size());
  const auto tiles = [](at::Tensor values) -> LogitTile {
    return [values](std::int64_t row, std::int64_t rows, std::int64_t first, std::int64_t count) {
      return values.narrow(0, row, rows).narrow(1, first, count);
    };
  };
  ASSERT_TRUE(ScoreRows(kRows, kVocab, tiles(on_host), reads, row_of, host, {}, expected));
  ASSERT_TRUE(ScoreRows(kRows, kVocab, tiles(on_host.to(device.device())), reads, row_of, device,
                        place->cuda, scores));
  for (std::size_t i = 0; i < reads.size(); ++i) {
    EXPECT_NEAR(scores[i].log_probability, expected[i].log_probability, 1e-4);
    EXPECT_EQ(scores[i].is_argmax, expected[i].is_argmax);
  }
}

TEST(TokenScoreKernel, AgreesWithAtenInFp32) { Compare(ComputeType::kFp32, at::kFloat); }
TEST(TokenScoreKernel, AgreesWithAtenInBf16) { Compare(ComputeType::kBf16, at::kBFloat16); }
TEST(TokenScoreKernel, AgreesWithAtenInFp16) { Compare(ComputeType::kFp16, at::kHalf); }

}  // namespace
}  // namespace couplingd
