#include <gtest/gtest.h>

#include "probes/model/decoder.h"
#include "tests/probes/model/fixtures.h"

namespace couplingd {
namespace {

class EveryFixtureOnCuda : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Decoder, EveryFixtureOnCuda, testing::ValuesIn(FixtureNames()),
                         [](const auto& info) { return info.param; });

TEST_P(EveryFixtureOnCuda, GivesTheLogitsOfTransformers) {
  const auto place = ChoosePlace({.device = "cuda",
                                  .dtype = "fp32",
                                  .cuda_library = COUPLINGD_BINARY_DIR "/libcouplingd_cuda.so"});
  if (!place) GTEST_SKIP() << place.error().Text();
  const ExpectedLogits expected = ReadExpected(GetParam());
  const LoadedDecoder loaded = LoadFixture(GetParam(), *place);
  const auto logits = loaded.decoder->Logits(expected.tokens);
  ASSERT_TRUE(logits) << logits.error().Text();
  EXPECT_LT(LargestDifference(*logits, expected.logits), 1e-4);
}

}  // namespace
}  // namespace couplingd
