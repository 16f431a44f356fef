#include "probes/checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/json.h"
#include "test_files.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

Result<SafetensorsFile> Open(const std::string& path, const SafetensorsLimits& limits = {}) {
  return OpenSafetensors(path, {"/"}, limits);
}

// expected.json holds the verdict of the reference library on every file:
// bench/oracle/safetensors_fixtures.py.
TEST(SafetensorsReader, AgreesWithTheReferenceOnEveryFixture) {
  const auto expected = ParseJsonFile(DataPath("expected.json"));
  ASSERT_TRUE(expected) << expected.error().Text();
  int cases = 0;
  for (const JsonValue& fixture : (*expected)["cases"].GetArray()) {
    const std::string group = fixture["group"].GetString();
    const std::string name = group + "/" + fixture["name"].GetString();
    const auto opened = Open(DataPath(name + "/model.safetensors"));
    const bool accepts = fixture["reference"]["accepts"].GetBool();
    ++cases;
    if (group == "good") {
      EXPECT_TRUE(opened) << name << ": " << opened.error().Text();
      continue;
    }
    ASSERT_FALSE(opened) << name;
    EXPECT_EQ(accepts, group == "stricter") << name;
    EXPECT_EQ(opened.error().kind, ErrorKind::kInvalidData) << name;
    EXPECT_EQ(opened.error().retryable, fixture["truncated"].GetBool())
        << name << ": " << opened.error().Text();
    EXPECT_THAT(opened.error().message, HasSubstr(name)) << "the file is named";
  }
  EXPECT_GT(cases, 60);
}

TEST(SafetensorsReader, NamesTheTensorAndTheCause) {
  const auto message = [](const std::string& reason) {
    return Open(DataPath("bad/" + reason + "/model.safetensors")).error().message;
  };
  EXPECT_THAT(message("overlap"), HasSubstr("tensor \"b\": its data begins at 4, inside another"));
  EXPECT_THAT(message("hole"), HasSubstr("tensor \"b\": a hole of 2 bytes"));
  EXPECT_THAT(message("shape_overflows"),
              HasSubstr("tensor \"a\": the product of its shape overflows"));
  EXPECT_THAT(message("unknown_dtype"), HasSubstr("tensor \"a\": unknown dtype \"F31\""));
  EXPECT_THAT(message("duplicate_field"),
              HasSubstr("tensor \"a\": the field \"dtype\" stands twice"));
  EXPECT_THAT(message("data_left_over"), HasSubstr("1 bytes follow the last tensor"));
  EXPECT_THAT(message("zip_archive"), HasSubstr("torch.save"));
  EXPECT_THAT(message("git_lfs_pointer"), HasSubstr("Git LFS"));
}

// As a length, 640 begins like a pickle of protocol 2, and 1152 like one of protocol 4.
TEST(SafetensorsReader, TakesNoHeaderLengthForAnotherFormat) {
  const TemporaryDirectory directory;
  for (const std::size_t length : {std::size_t{640}, std::size_t{1152}}) {
    std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
    header.resize(length, ' ');
    std::string content(8, '\0');
    content[0] = static_cast<char>(length & 0xFF);
    content[1] = static_cast<char>(length >> 8);
    WriteText(directory / "model.safetensors", content + header + "x");
    const auto opened = Open(directory / "model.safetensors");
    ASSERT_TRUE(opened) << length << ": " << opened.error().Text();
    EXPECT_EQ(opened->tensors.size(), 1u);
  }
}

TEST(SafetensorsReader, TakesEveryProperPrefixOfAFileForTruncated) {
  const TemporaryDirectory directory;
  const std::string whole = ReadText(DataPath("good/by_the_library/model.safetensors"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    WriteText(directory / "model.safetensors", whole.substr(0, size));
    const auto opened = Open(directory / "model.safetensors");
    ASSERT_FALSE(opened) << size;
    EXPECT_TRUE(opened.error().retryable) << size << ": " << opened.error().Text();
  }
}

// Any single wrong byte in the header gives an error or a file whose tensors still tile the data
// exactly.
TEST(SafetensorsReader, NeverAcceptsTensorsThatDoNotTileTheData) {
  const TemporaryDirectory directory;
  const std::string whole = ReadText(DataPath("good/by_the_library/model.safetensors"));
  const std::size_t header_end = whole.size() - 58;
  for (std::size_t at = 0; at < header_end; ++at) {
    for (const char byte : {'\0', '"', '9', '}'}) {
      std::string damaged = whole;
      damaged[at] = byte;
      WriteText(directory / "model.safetensors", damaged);
      const auto opened = Open(directory / "model.safetensors");
      if (!opened) continue;
      std::uint64_t bytes = 0;
      for (const TensorInfo& tensor : opened->tensors) bytes += tensor.bytes;
      ASSERT_EQ(bytes, 58u) << at;
    }
  }
}

TEST(SafetensorsReader, CapsTheHeader) {
  const std::string path = DataPath("good/every_dtype/model.safetensors");
  const auto opened = Open(path, {.max_header_bytes = 100});
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("at most 100 are read"));
}

TEST(SafetensorsReader, KeepsControlCharactersOfNamesOutOfMessages) {
  const TemporaryDirectory directory;
  WriteText(
      directory / "model.safetensors",
      SafetensorsBytes(R"({"a\u001b[31m\n":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})",
                       "12345678"));
  const auto opened = Open(directory / "model.safetensors");
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("tensor \"a?[31m?\""));
}

TEST(SafetensorsReader, RefusesLinksOutOfTheRootsAndSpecialFiles) {
  const TemporaryDirectory directory, elsewhere;
  WriteText(elsewhere / "secret.safetensors", SafetensorsBytes("{}", ""));
  std::filesystem::create_symlink(elsewhere / "secret.safetensors",
                                  directory / "model.safetensors");
  const auto outside = OpenSafetensors(directory / "model.safetensors", {directory.path()});
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().kind, ErrorKind::kPermission);
  EXPECT_THAT(outside.error().message, HasSubstr(elsewhere / "secret.safetensors"));
  EXPECT_TRUE(
      OpenSafetensors(directory / "model.safetensors", {directory.path(), elsewhere.path()}));
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  const auto fifo = OpenSafetensors(directory / "fifo", {directory.path()});
  ASSERT_FALSE(fifo);
  EXPECT_THAT(fifo.error().message, HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace couplingd
