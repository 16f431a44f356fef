#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>

#include "expect_tensors.h"
#include "probes/checkpoint/open_checkpoint.h"
#include "test_files.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

// Two ranks of an FSDP2 model: bench/oracle/writers.py.
class DcpTest : public ::testing::Test {
 protected:
  DcpTest() { SetAllTimes(); }

  static std::filesystem::file_time_type After(int seconds) {
    return std::filesystem::file_time_type::clock::now() + std::chrono::seconds(seconds - 1000);
  }

  void SetAllTimes() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      std::filesystem::last_write_time(entry.path(), After(0));
    }
  }

  Result<CheckpointWeights> Open() const { return OpenCheckpoint(folder_); }

  // Replaces text of the metadata by as much other text, everywhere.
  void Replace(const std::string& from, const std::string& to) {
    ASSERT_EQ(from.size(), to.size());
    std::string text = whole_;
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 1)) {
      text.replace(at, from.size(), to);
    }
    ASSERT_NE(text, whole_) << from;
    Write(text);
  }

  void Write(const std::string& text) const {
    std::filesystem::remove(metadata_);
    WriteText(metadata_, text);
    SetAllTimes();
  }

  Error ErrorNow() const {
    const auto opened = Open();
    return opened ? Error{ErrorKind::kInternal, "accepted"} : opened.error();
  }

  TemporaryDirectory directory_;
  std::string folder_ =
      directory_.Copy("writers/torch_fsdp/checkpoint-4/pytorch_model_fsdp_0", "checkpoint");
  std::string metadata_ = folder_ + "/.metadata";
  std::string whole_ = ReadText(metadata_);
};

TEST_F(DcpTest, WaitsForTheMetadataThatAreWrittenLast) {
  std::filesystem::remove(metadata_);
  EXPECT_TRUE(ErrorNow().retryable);
  EXPECT_THAT(ErrorNow().message, HasSubstr(".metadata, which is not there"));
  for (std::size_t size = 0; size < whole_.size(); size += size < 200 ? 1 : 97) {
    Write(whole_.substr(0, size));
    EXPECT_TRUE(ErrorNow().retryable) << size << ErrorNow().message;
  }
}

TEST_F(DcpTest, RefusesFilesOutsideTheCheckpoint) {
  Replace("__1_0.distcp", "../_0.distcp");
  EXPECT_THAT(ErrorNow().message, HasSubstr("not a file name below it"));
  EXPECT_FALSE(ErrorNow().retryable);
  Replace("__1_0.distcp", "/etc//passwd");
  EXPECT_THAT(ErrorNow().message, HasSubstr("not a file name below it"));
}

TEST_F(DcpTest, RefusesPartsThatDoNotMatchTheirMetadata) {
  Replace("__1_0.distcp", "__0_0.distcp");
  EXPECT_FALSE(ErrorNow().message == "accepted" && Open()->source->tensors().empty());
  Replace("lm_head.weight", "lm_head.weighs");
  EXPECT_TRUE(Open()) << "a name is a name, as long as its places bear it too";
  Replace("TensorStorageMetadata", "TensorStorageMetadatX");
  EXPECT_THAT(ErrorNow().message, HasSubstr("of an unknown kind"));
  Replace("storage_data", "storage_datX");
  EXPECT_THAT(ErrorNow().message, HasSubstr("not the metadata of a Distributed Checkpoint"));
  Replace("relative_path", "relative_patX");
  EXPECT_THAT(ErrorNow().message, HasSubstr("is not one of a file"));
}

TEST_F(DcpTest, NeverAcceptsPartsThatDoNotTileTheirTensors) {
  int accepted = 0;
  for (std::size_t at = 0; at < whole_.size(); at += 3) {
    std::string damaged = whole_;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    Write(damaged);
    const auto opened = Open();
    if (!opened) continue;
    ++accepted;
    for (const TensorInfo& tensor : opened->source->tensors()) {
      EXPECT_EQ(BytesOf(*opened->source, tensor).size(), tensor.bytes) << at;
    }
  }
  EXPECT_LT(accepted, static_cast<int>(whole_.size()));
}

TEST_F(DcpTest, WaitsWhileItIsSavedOverAnOlderOne) {
  const std::string first = folder_ + "/__0_0.distcp", second = folder_ + "/__1_0.distcp";
  std::filesystem::last_write_time(first, After(10));
  EXPECT_TRUE(ErrorNow().retryable);
  EXPECT_THAT(ErrorNow().message, HasSubstr("__0_0.distcp was written after"));
  std::filesystem::last_write_time(second, After(20));
  EXPECT_TRUE(Open()) << "a copy that came without its times";
  std::filesystem::last_write_time(metadata_, After(30));
  EXPECT_TRUE(Open());
}

}  // namespace
}  // namespace couplingd
