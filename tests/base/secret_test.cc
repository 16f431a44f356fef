#include "base/secret.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/files.h"

namespace couplingd {
namespace {

class SecretFile : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/couplingd-secret-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = JoinPath(directory_, "url");
  }
  void TearDown() override {
    ::unsetenv("CREDENTIALS_DIRECTORY");
    std::filesystem::remove_all(directory_);
  }
  std::string directory_, path_;
};

TEST_F(SecretFile, GivesItsFirstLineWithoutBlanks) {
  ASSERT_TRUE(WriteFileAtomically(path_, "  https://example.invalid/hook \nsecond\n"));
  EXPECT_EQ(ReadSecret(path_)->Reveal(), "https://example.invalid/hook");
  EXPECT_EQ(ReadSecret(path_)->Redacted(), "<redacted>");
}

TEST_F(SecretFile, OfSeveralLinesGivesThoseThatAreNotBlank) {
  ASSERT_TRUE(WriteFileAtomically(path_, "\n one\r\n\ntwo"));
  const auto lines = ReadSecretLines(path_);
  ASSERT_TRUE(lines) << lines.error().Text();
  ASSERT_EQ(lines->size(), 2u);
  EXPECT_EQ((*lines)[0].Reveal(), "one");
  EXPECT_EQ((*lines)[1].Reveal(), "two");
  ASSERT_TRUE(WriteFileAtomically(path_, " \n\n"));
  EXPECT_EQ(ReadSecretLines(path_).error().kind, ErrorKind::kInvalidData);
}

TEST_F(SecretFile, ThatOthersCanReadIsRefusedWithTheCommandThatHelps) {
  ASSERT_TRUE(WriteFileAtomically(path_, "x", 0644));
  const auto secret = ReadSecret(path_);
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().kind, ErrorKind::kPermission);
  EXPECT_EQ(secret.error().hint, "chmod 600 " + path_);
}

TEST_F(SecretFile, OfSystemdIsFoundByItsName) {
  ASSERT_TRUE(WriteFileAtomically(path_, "x", 0440));
  EXPECT_EQ(ReadSecret("credential:url").error().kind, ErrorKind::kNotFound);
  ::setenv("CREDENTIALS_DIRECTORY", directory_.c_str(), 1);
  EXPECT_EQ(ReadSecret("credential:url")->Reveal(), "x");
  EXPECT_FALSE(ReadSecret("credential:../url"));
}

TEST_F(SecretFile, ThatIsEmptyHoldsNoSecret) {
  ASSERT_TRUE(WriteFileAtomically(path_, "\n"));
  EXPECT_EQ(ReadSecret(path_).error().kind, ErrorKind::kInvalidData);
}

}  // namespace
}  // namespace couplingd
