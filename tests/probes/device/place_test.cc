#include "probes/device/place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace couplingd {
namespace {

using testing::HasSubstr;

constexpr char kNowhere[] = "/nonexistent/libcouplingd_cuda.so";

TEST(ChoosePlace, FallsBackToTheCpuAndSaysWhy) {
  const auto place = ChoosePlace({.cuda_library = kNowhere});
  ASSERT_TRUE(place) << place.error().Text();
  EXPECT_EQ(place->DeviceName(), "cpu");
  EXPECT_THAT(place->note, HasSubstr("using the CPU: the CUDA half cannot be opened"));
}

TEST(ChoosePlace, RefusesCudaThatIsNotThere) {
  const auto place = ChoosePlace({.device = "cuda:1", .cuda_library = kNowhere});
  ASSERT_FALSE(place);
  EXPECT_EQ(place.error().kind, ErrorKind::kUnavailable);
}

TEST(ChoosePlace, ComputesInFp32OnTheCpuUnlessAsked) {
  EXPECT_EQ(ChoosePlace({.device = "cpu", .weights_dtype = "BF16"})->type, ComputeType::kFp32);
  EXPECT_EQ(ChoosePlace({.device = "cpu", .dtype = "bf16"})->type, ComputeType::kBf16);
}

TEST(ChoosePlace, RefusesWordsThatNameNothing) {
  for (const char* device : {"gpu", "cuda:", "cuda:x", "cuda:-1", ""}) {
    const auto place = ChoosePlace({.device = device, .cuda_library = kNowhere});
    ASSERT_FALSE(place) << device;
    EXPECT_EQ(place.error().kind, ErrorKind::kUsage) << device;
  }
  EXPECT_FALSE(ChoosePlace({.device = "cpu", .dtype = "int8"}));
}

}  // namespace
}  // namespace couplingd
