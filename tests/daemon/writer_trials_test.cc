#include "tests/daemon/writer_trials.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace couplingd {
namespace {

TEST(WriterTrials, EvaluateEveryWholeCheckpointOnceAndNoPartOfOne) {
  std::string directory =
      (std::filesystem::temp_directory_path() / "couplingd-writers-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  WriterCounts all;
  for (const WriterLayout& layout : WriterLayouts()) {
    const auto counts =
        TryWriters(layout, COUPLINGD_SOURCE_DIR "/tests/probes/checkpoint/data", directory, 12, 1);
    ASSERT_TRUE(counts) << layout.name << ": " << counts.error().Text();
    EXPECT_EQ(counts->partial, 0) << layout.name;
    EXPECT_EQ(counts->repeated, 0) << layout.name;
    EXPECT_EQ(counts->evaluated, counts->complete) << layout.name;
    EXPECT_GT(counts->complete, 0) << layout.name;
    all.killed += counts->killed;
    all.rewritten += counts->rewritten;
    all.deleted += counts->deleted;
  }
  EXPECT_GT(all.killed, 0);
  EXPECT_GT(all.rewritten, 0);
  EXPECT_GT(all.deleted, 0);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace couplingd
