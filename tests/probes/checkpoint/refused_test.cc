// Checkpoints that would be read otherwise than they were computed:
// bench/oracle/refused_fixtures.py.
#include <gmock/gmock.h>

#include <filesystem>

#include "base/json.h"
#include "probes/checkpoint/open_checkpoint.h"
#include "test_files.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

TEST(RefusedCheckpoints, SayByNameWhatIsNotRead) {
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(DataPath("refused"))) {
    const std::string folder = entry.path().string();
    const auto expected = ParseJsonFile(folder + "/expected.json");
    ASSERT_TRUE(expected) << folder;
    const auto opened = OpenCheckpoint(folder + "/" + (*expected)["checkpoint"].GetString());
    ASSERT_FALSE(opened) << folder;
    EXPECT_EQ(opened.error().kind, ErrorKind::kUnsupported) << folder;
    EXPECT_FALSE(opened.error().retryable) << folder;
    EXPECT_THAT(opened.error().message, HasSubstr((*expected)["says"].GetString())) << folder;
    ++cases;
  }
  EXPECT_EQ(cases, 13);
}

}  // namespace
}  // namespace couplingd
