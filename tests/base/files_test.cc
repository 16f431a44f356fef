#include "base/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace couplingd {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/couplingd-files-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string Path(const std::string& name) const { return JoinPath(directory_, name); }
  std::string directory_;
};

TEST_F(Files, AnAtomicWriteReplacesTheContentAndLeavesNothingBeside) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "one"));
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "two", 0640));
  EXPECT_EQ(ReadFile(Path("a")).value(), "two");
  EXPECT_EQ(ListDirectory(directory_).value(), std::vector<std::string>{"a"});
  struct stat status {};
  ::stat(Path("a").c_str(), &status);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST_F(Files, AFileLargerThanTheLimitIsRefused) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), std::string(100, 'x')));
  EXPECT_TRUE(ReadFile(Path("a"), 100));
  EXPECT_EQ(ReadFile(Path("a"), 99).error().kind, ErrorKind::kInvalidData);
}

TEST_F(Files, AFifoIsRefusedWithoutWaitingForAWriter) {
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(OpenForReading(Path("fifo")).error().kind, ErrorKind::kInvalidData);
}

TEST_F(Files, AMissingFileIsNotFoundAndNamesThePath) {
  const auto missing = ReadFile(Path("none"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(missing.error().message.find(Path("none")), std::string::npos);
}

TEST_F(Files, ReadingPastTheEndSaysWhereTheFileEnds) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "12345"));
  const auto fd = OpenForReading(Path("a"));
  char block[8];
  EXPECT_TRUE(ReadExactlyAt(fd->get(), block, 5, 0, "a"));
  EXPECT_EQ(ReadExactlyAt(fd->get(), block, 8, 0, "a").error().message,
            "a ends at byte 5, 3 more bytes were expected");
}

TEST(Paths, AreTakenApartAndPutTogether) {
  EXPECT_EQ(JoinPath("/a/", "b"), "/a/b");
  EXPECT_EQ(JoinPath("/a", "/b"), "/b");
  EXPECT_EQ(BaseName("/a/b/"), "b");
  EXPECT_EQ(BaseName("/"), "/");
  EXPECT_EQ(DirectoryName("/a/b/"), "/a");
  EXPECT_EQ(DirectoryName("a"), ".");
  EXPECT_TRUE(IsWithin("/a/b", "/a"));
  EXPECT_FALSE(IsWithin("/ab", "/a"));
}

}  // namespace
}  // namespace couplingd
