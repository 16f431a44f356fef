#include "probes/checkpoint/torch/torch_archive.h"

#include <gmock/gmock.h>

#include "expect_tensors.h"
#include "probes/checkpoint/inspect.h"
#include "probes/checkpoint/open_checkpoint.h"
#include "test_files.h"
#include "zip_builder.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

class TorchArchiveTest : public ::testing::Test {
 protected:
  Result<CheckpointWeights> OpenBytes(std::string_view bytes) {
    const std::string path = directory_ / "pytorch_model.bin";
    std::filesystem::remove(path);  // a file that is cut is flushed to the disk
    WriteText(path, bytes);
    return OpenCheckpoint(directory_.path());
  }

  // The error of a damaged file; it must not be taken for one that is still being written.
  std::string Refusal(std::string_view bytes, ErrorKind kind = ErrorKind::kInvalidData) {
    const auto opened = OpenBytes(bytes);
    if (opened) return "accepted";
    EXPECT_EQ(opened.error().kind, kind) << opened.error().Text();
    EXPECT_FALSE(opened.error().retryable) << opened.error().Text();
    EXPECT_THAT(opened.error().message, HasSubstr("pytorch_model.bin"));
    return opened.error().message;
  }

  std::string RefusalOf(const PickledTensor& tensor, ErrorKind kind = ErrorKind::kInvalidData) {
    return Refusal(BuildZip(ArchiveParts(DictOf(tensor.Pickled()))), kind);
  }

  std::string RefusalOfPickle(const std::string& pickle) {
    return Refusal(BuildZip(ArchiveParts(pickle)));
  }

  // Every byte of what describes the tensors, some of what pads.
  static std::size_t StepAt(std::size_t at, std::size_t size) {
    return at < 700 || at + 500 > size ? 1 : 11;
  }

  TemporaryDirectory directory_;
};

// Written and read back by torch: bench/oracle/torch_fixtures.py.
TEST_F(TorchArchiveTest, GivesTheTensorsThatTorchLoads) {
  const auto expected = ParseJsonFile(DataPath("torch/expected.json"));
  ASSERT_TRUE(expected) << expected.error().Text();
  int cases = 0;
  for (const JsonValue& fixture : (*expected)["cases"].GetArray()) {
    const std::string name = fixture["name"].GetString();
    const auto opened = OpenCheckpoint(DataPath("torch/" + name));
    ASSERT_TRUE(opened) << name << ": " << opened.error().Text();
    EXPECT_EQ(opened->format, "pytorch_model.bin");
    ExpectTensors(*opened->source, fixture["tensors"], name);
    ++cases;
  }
  EXPECT_GE(cases, 8);
}

TEST_F(TorchArchiveTest, ReadsTheLayoutsThatAreOneArchive) {
  const auto expected = ParseJsonFile(DataPath("torch/expected.json"));
  ASSERT_TRUE(expected) << expected.error().Text();
  ASSERT_EQ((*expected)["layouts"].Size(), 2u);
  for (const JsonValue& layout : (*expected)["layouts"].GetArray()) {
    const std::string path = DataPath(std::string("torch/") + layout["path"].GetString());
    const auto opened = OpenCheckpoint(path);
    ASSERT_TRUE(opened) << path << ": " << opened.error().Text();
    ExpectTensors(*opened->source, layout["tensors"], path);
    const auto seen = Inspect(path);
    ASSERT_TRUE(seen) << path << ": " << seen.error().Text();
    EXPECT_TRUE(seen->ready()) << seen->reason;
    EXPECT_EQ(seen->format, layout["format"].GetString());
    EXPECT_EQ(seen->step, layout["step"].GetInt64());
    EXPECT_EQ(seen->tokens, layout["tokens"].GetInt64());
  }
}

TEST_F(TorchArchiveTest, TakesEveryProperPrefixForTruncated) {
  for (const char* name : {"torch/module", "torch/legacy"}) {
    const std::string whole = ReadText(DataPath(std::string(name) + "/pytorch_model.bin"));
    for (std::size_t size = 0; size < whole.size(); size += StepAt(size, whole.size())) {
      const auto opened = OpenBytes(std::string_view(whole).substr(0, size));
      ASSERT_FALSE(opened) << name << " " << size;
      EXPECT_TRUE(opened.error().retryable) << name << " " << size << opened.error().Text();
    }
  }
}

// Whatever a wrong byte does, tensors that are accepted lie inside the file.
TEST_F(TorchArchiveTest, NeverAcceptsWhatItCannotRead) {
  int accepted = 0, refused = 0;
  for (const char* name : {"torch/module", "torch/legacy"}) {
    const std::string whole = ReadText(DataPath(std::string(name) + "/pytorch_model.bin"));
    for (std::size_t at = 0; at < whole.size(); at += StepAt(at, whole.size())) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] + 1 + static_cast<int>(at % 251));
      const auto opened = OpenBytes(damaged);
      opened ? ++accepted : ++refused;
      if (!opened) continue;
      for (const TensorInfo& tensor : opened->source->tensors()) {
        EXPECT_EQ(BytesOf(*opened->source, tensor).size(), tensor.bytes) << at;
      }
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_GT(refused, 300);
}

TEST_F(TorchArchiveTest, ReadsWhatTheBuilderWrites) {
  const PickledTensor tensor;
  EXPECT_TRUE(OpenBytes(BuildZip(ArchiveParts(DictOf(tensor.Pickled())))));
  ZipEnd wide{.wide = true};
  auto parts = ArchiveParts(DictOf(tensor.Pickled()));
  for (ZipPart& part : parts) part.wide = true;
  EXPECT_TRUE(OpenBytes(BuildZip(parts, wide)));
  wide.entries = 0xFFFF;
  EXPECT_TRUE(OpenBytes(BuildZip(parts, wide)));
}

TEST_F(TorchArchiveTest, RefusesArchivesThatLieAboutTheirEntries) {
  const std::string pickle = DictOf(PickledTensor().Pickled());
  const auto damaged = [&](auto change, const ZipEnd& end = {}) {
    auto parts = ArchiveParts(pickle);
    change(parts);
    return BuildZip(parts, end);
  };
  using Parts = std::vector<ZipPart>;
  const auto nothing = [](Parts&) {};
  EXPECT_THAT(Refusal(damaged([](Parts& p) { p[2].method = 8; }), ErrorKind::kUnsupported),
              HasSubstr("\"a/data/0\" is compressed (method 8)"));
  EXPECT_THAT(Refusal(damaged([](Parts& p) { p[2].flags |= 1; }), ErrorKind::kUnsupported),
              HasSubstr("encrypted"));
  EXPECT_THAT(Refusal(damaged([](Parts& p) { p.push_back(p[2]); })),
              HasSubstr("\"a/data/0\" stands twice"));
  EXPECT_THAT(Refusal(damaged([](Parts& p) {
                p.push_back({"b/data.pkl", "x"});
              })),
              HasSubstr("two objects"));
  EXPECT_THAT(Refusal(damaged([](Parts& p) { p[0].name = "a/other.pkl"; })),
              HasSubstr("without data.pkl"));
  EXPECT_THAT(Refusal(damaged([](Parts& p) {
                        p.push_back({"a/constants.pkl", ""});
                      }),
                      ErrorKind::kUnsupported),
              HasSubstr("TorchScript"));
  EXPECT_THAT(Refusal(damaged([](Parts& p) { p[2].local_name = "a/data/1"; })),
              HasSubstr("another local header"));
  EXPECT_THAT(Refusal(damaged([](Parts& p) { p[2].size_in_directory = 4000; })),
              HasSubstr("reaches beyond"));
  EXPECT_THAT(Refusal(damaged([](Parts& p) { p[0].size_in_directory = p[0].content.size() + 20; })),
              HasSubstr("overlap"));
  EXPECT_THAT(Refusal(damaged([](Parts& p) {
                p[2].name = p[2].local_name = "a/data.pkl";
                p[2].header_in_directory = 0;
              })),
              HasSubstr("stands twice"));
  EXPECT_THAT(Refusal(damaged([](Parts& p) { p[1].content = "big"; }), ErrorKind::kUnsupported),
              HasSubstr("big-endian"));
  EXPECT_THAT(Refusal(damaged([](Parts& p) { p[2].header_in_directory = 1u << 30; })),
              HasSubstr("beyond its end"));
  EXPECT_THAT(Refusal(damaged(nothing, {.entries = 2})), HasSubstr("more than the entries"));
  EXPECT_THAT(Refusal(damaged(nothing, {.entries = 4})), HasSubstr("entries"));
  EXPECT_THAT(Refusal(damaged(nothing, {.entries = 60000})), HasSubstr("counts 60000 entries"));
  EXPECT_THAT(Refusal(damaged(nothing, {.directory_begin = 0})),
              HasSubstr("directory does not end"));
  EXPECT_THAT(Refusal(damaged(nothing, {.disk = 1})), HasSubstr("several disks"));
  EXPECT_THAT(Refusal(damaged(nothing, {.between = "hole"})), HasSubstr("directory does not end"));
  EXPECT_THAT(Refusal(damaged(nothing, {.wide = true, .wide_entries = 2})),
              HasSubstr("contradicts"));
  EXPECT_THAT(Refusal(damaged(nothing, {.wide = true, .wide_at = 4})),
              HasSubstr("not where the locator says"));
  EXPECT_THAT(Refusal("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("Git LFS"));
  EXPECT_THAT(Refusal("GGUF and more"), HasSubstr("neither a ZIP archive nor a pickle"));
}

TEST_F(TorchArchiveTest, RefusesTensorsThatAreNotInTheirStorage) {
  const std::int64_t huge = std::int64_t{1} << 62;
  EXPECT_THAT(RefusalOf({.key = "1"}), HasSubstr("tensor \"w\": its storage \"1\" is not in"));
  EXPECT_THAT(RefusalOf({.elements = Int(5)}), HasSubstr("16 bytes, 5 elements"));
  EXPECT_THAT(RefusalOf({.elements = Int(-1)}), HasSubstr("-1 elements"));
  EXPECT_THAT(RefusalOf({.offset = Int(1)}), HasSubstr("reaches element 4 of a storage of 4"));
  EXPECT_THAT(RefusalOf({.offset = Int(-1)}), HasSubstr("overflows"));
  EXPECT_THAT(RefusalOf({.offset = Wide(huge)}), HasSubstr("reaches element"));
  EXPECT_THAT(RefusalOf({.shape = "(" + Int(-4) + "t"}), HasSubstr("negative"));
  EXPECT_THAT(RefusalOf({.stride = "(" + Int(-1) + "t"}), HasSubstr("negative"));
  EXPECT_THAT(RefusalOf({.stride = "(" + Wide(huge) + "t"}), HasSubstr("reaches element"));
  EXPECT_THAT(RefusalOf({.stride = "(" + Wide(2 * (huge - 1)) + "t"}), HasSubstr("overflows"));
  EXPECT_THAT(RefusalOf({.stride = "(" + Int(1) + Int(1) + "t"}), HasSubstr("do not belong"));
  EXPECT_THAT(
      RefusalOf({.shape = "(" + Wide(huge) + Int(8) + "t", .stride = "(" + Int(0) + Int(0) + "t"}),
      HasSubstr("overflows"));
  EXPECT_THAT(RefusalOf({.shape = "(" + Int(1000000) + "t", .stride = "(" + Int(0) + "t"}),
              HasSubstr("expanded"));
  EXPECT_THAT(RefusalOf({.type = "QInt8Storage"}, ErrorKind::kUnsupported), HasSubstr("QInt8"));
}

TEST_F(TorchArchiveTest, RefusesOneStorageUnderThousandsOfNames) {
  auto parts = ArchiveParts("");
  parts[2].content.assign(4u << 20, 'x');
  PickledTensor large{.elements = Int(1 << 20), .shape = "(" + Int(1 << 20) + "t"};
  std::string shared = "\x80\x02}(";
  for (int i = 0; i < 2000; ++i)
    shared += Text("w" + std::to_string(i)) + (i == 0 ? large.Pickled() + "q\x01" : "h\x01");
  parts[0].content = shared + "u.";
  EXPECT_THAT(Refusal(BuildZip(parts)), HasSubstr("share their storages"));
}

TEST_F(TorchArchiveTest, CallsNothingAndRefusesWhatIsNoDictionary) {
  const std::string run =
      Global("os", "system") + "(" + Text("touch /tmp/couplingd-was-here") + "tR";
  EXPECT_THAT(RefusalOfPickle("\x80\x02" + run + "."), HasSubstr("dictionary of tensors"));
  // Beside tensors it is an inert record.
  const auto opened = OpenBytes(BuildZip(
      ArchiveParts("\x80\x02}(" + Text("w") + PickledTensor().Pickled() + Text("x") + run + "u.")));
  ASSERT_TRUE(opened) << opened.error().Text();
  EXPECT_EQ(opened->source->tensors().size(), 1u);
  EXPECT_FALSE(std::filesystem::exists("/tmp/couplingd-was-here"));
}

}  // namespace
}  // namespace couplingd
