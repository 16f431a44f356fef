// What the CUDA half is made of, read from the file: looking at it needs no driver.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include "base/files.h"

namespace couplingd {
namespace {

using testing::HasSubstr;
using testing::IsSupersetOf;

enum Kind : std::uint16_t { kPtx = 1, kCubin = 2 };

template <typename T>
T At(std::string_view bytes, std::size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// Kind and architecture of everything in the file's fat binaries. A fat binary is a header {magic,
// version, header size, size} and entries {kind, version, header size, size, …, architecture at
// 28}.
std::set<std::pair<std::uint16_t, std::uint32_t>> DeviceCode(std::string_view file) {
  constexpr std::string_view kMagic = "\x50\xed\x55\xba";
  std::set<std::pair<std::uint16_t, std::uint32_t>> found;
  for (std::size_t at = file.find(kMagic); at != file.npos; at = file.find(kMagic, at + 1)) {
    const auto size = At<std::uint64_t>(file, at + 8);
    std::size_t entry = at + At<std::uint16_t>(file, at + 6);
    const std::size_t end = entry + size;
    while (end < file.size() && entry + 32 <= end) {
      found.emplace(At<std::uint16_t>(file, entry), At<std::uint32_t>(file, entry + 28));
      entry += At<std::uint32_t>(file, entry + 4) + At<std::uint64_t>(file, entry + 8);
    }
  }
  return found;
}

class CudaLibrary : public testing::Test {
 protected:
  const std::string library_ =
      ReadFile(COUPLINGD_BINARY_DIR "/libcouplingd_cuda.so", std::size_t{1} << 30).value();
};

TEST_F(CudaLibrary, HoldsCodeForAmpereHopperBlackwellAndPtxForWhatComesLater) {
  const std::pair<std::uint16_t, std::uint32_t> expected[] = {
      {kCubin, 80}, {kCubin, 90}, {kCubin, 100}, {kPtx, 100}};
  EXPECT_THAT(DeviceCode(library_), IsSupersetOf(expected));
}

TEST_F(CudaLibrary, NeedsTheCudaHalfOfLibtorchByName) {
  for (const char* name : {"couplingd_cuda_join_logits", "couplingd_cuda_token_scores",
                           "couplingd_cuda_current_stream", "couplingd_cuda_limit_memory",
                           "couplingd_cuda_error_text", "libtorch_cuda.so", "libc10_cuda.so"}) {
    EXPECT_THAT(library_, HasSubstr(name));
  }
}

}  // namespace
}  // namespace couplingd
