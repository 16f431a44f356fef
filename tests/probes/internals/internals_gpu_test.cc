#include <gtest/gtest.h>

#include "tests/probes/internals/fixtures.h"

namespace couplingd {
namespace {

class EveryFamilyOnCuda : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Internals, EveryFamilyOnCuda, testing::Values("llama", "gpt2", "gpt_neox"),
                         [](const auto& info) { return info.param; });

TEST_P(EveryFamilyOnCuda, HasTheInternalsThatTransformersSays) {
  const auto place = ChoosePlace({.device = "cuda",
                                  .dtype = "fp32",
                                  .cuda_library = COUPLINGD_BINARY_DIR "/libcouplingd_cuda.so"});
  if (!place) GTEST_SKIP() << place.error().Text();
  InternalsFixture fixture(GetParam(), *place);
  const auto internals = fixture.Measure();
  ASSERT_TRUE(internals) << internals.error().Text();
  ExpectAsTransformers(*internals, fixture.expected["internals"]);
}

}  // namespace
}  // namespace couplingd
