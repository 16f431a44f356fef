#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

#include "base/files.h"

namespace couplingd {
namespace {

namespace fs = std::filesystem;

TEST(TensorFactory, IsTheOnlyPlaceThatMakesTensors) {
  const std::regex bare(
      R"(\b(torch|at)::(zeros|ones|empty|full|arange|range|tensor|scalar_tensor|rand|randn|randint|)"
      R"(eye|linspace|from_blob|empty_strided|randperm|tril_indices|triu_indices)\s*\()");
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(COUPLINGD_SOURCE_DIR "/probes")) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name == "factory.cc") continue;
    if (!name.ends_with(".cc") && !name.ends_with(".h") && !name.ends_with(".cu")) continue;
    ++files;
    const std::string text = ReadFile(entry.path().string()).value();
    std::smatch match;
    EXPECT_FALSE(std::regex_search(text, match, bare))
        << entry.path() << " makes a tensor without the factory: " << match.str();
  }
  EXPECT_GT(files, 10);
}

}  // namespace
}  // namespace couplingd
