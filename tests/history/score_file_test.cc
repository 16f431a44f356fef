#include "history/score_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/hash.h"
#include "history/byte_codec.h"
#include "tests/history/fixture.h"

namespace couplingd {
namespace {

class ScoreFile : public testing::Test {
 protected:
  std::string Directory() const { return directory_.path() + "/scores"; }
  std::string Path(const std::string& hash, const std::string& extension) const {
    return Directory() + "/" + hash + "." + extension;
  }
  // Stores bytes that a damaged or hostile writer closed with a right hash.
  std::string StoreClosed(const std::string& bytes, const std::string& extension) const {
    std::filesystem::create_directories(Directory());
    const std::string hash = HashHex(bytes);
    std::ofstream(Path(hash, extension), std::ios::binary) << bytes << hash;
    return hash;
  }

  TemporaryDirectory directory_;
};

const std::string kPlanHash(32, 'a');

TaskPlan ExamplePlan() {
  return {.task = "truthfulqa_mc2",
          .metrics = {"acc", "acc_norm"},
          .items = {{.id = "0",
                     .cluster = "Law é",
                     .choices = {{10, 11, 3, true}, {4'000'000'000u, 5, 1, false}}},
                    {.id = "", .cluster = "", .choices = {}},
                    {.id = std::string("a\0b", 3), .cluster = "x", .choices = {{0, 0, 0, false}}}}};
}

TaskScores ExampleScores() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return {.task = "truthfulqa_mc2",
          .scores = {{{-1.25, true}, {-0.0, false}}, {}, {{-kInfinity, false}, {-5e-324, true}}}};
}

TEST_F(ScoreFile, RoundTripsAPlan) {
  const TaskPlan plan = ExamplePlan();
  const std::string hash = Must(WritePlanFile(Directory(), plan));
  const TaskPlan back = Must(ReadPlanFile(Directory(), hash));
  EXPECT_EQ(back.task, plan.task);
  EXPECT_EQ(back.metrics, plan.metrics);
  ASSERT_EQ(back.items.size(), plan.items.size());
  for (std::size_t i = 0; i < plan.items.size(); ++i) {
    EXPECT_EQ(back.items[i].id, plan.items[i].id);
    EXPECT_EQ(back.items[i].cluster, plan.items[i].cluster);
    ASSERT_EQ(back.items[i].choices.size(), plan.items[i].choices.size());
    for (std::size_t k = 0; k < plan.items[i].choices.size(); ++k) {
      const ChoiceInfo &is = back.items[i].choices[k], &was = plan.items[i].choices[k];
      EXPECT_EQ(is.characters, was.characters);
      EXPECT_EQ(is.bytes, was.bytes);
      EXPECT_EQ(is.tokens, was.tokens);
      EXPECT_EQ(is.is_true, was.is_true);
    }
  }
}

TEST_F(ScoreFile, RoundTripsScoresToTheBit) {
  const TaskScores scores = ExampleScores();
  const std::string hash = Must(WriteScoreFile(Directory(), scores, kPlanHash));
  const TaskScores back = Must(ReadScoreFile(Directory(), hash));
  EXPECT_EQ(back.task, scores.task);
  ASSERT_EQ(back.scores.size(), scores.scores.size());
  for (std::size_t i = 0; i < scores.scores.size(); ++i) {
    ASSERT_EQ(back.scores[i].size(), scores.scores[i].size());
    for (std::size_t k = 0; k < scores.scores[i].size(); ++k) {
      const ChoiceScore &is = back.scores[i][k], &was = scores.scores[i][k];
      EXPECT_EQ(is.log_likelihood, was.log_likelihood);
      EXPECT_EQ(std::signbit(is.log_likelihood), std::signbit(was.log_likelihood));
      EXPECT_EQ(is.is_greedy, was.is_greedy);
    }
  }
}

TEST_F(ScoreFile, NamesTheSameContentAlikeAndOtherContentOtherwise) {
  const std::string hash = Must(WriteScoreFile(Directory(), ExampleScores(), kPlanHash));
  EXPECT_EQ(Must(WriteScoreFile(Directory(), ExampleScores(), kPlanHash)), hash);
  EXPECT_EQ(Must(WriteScoreFile(Directory() + "/other", ExampleScores(), kPlanHash)), hash);
  EXPECT_NE(Must(WriteScoreFile(Directory(), ExampleScores(), std::string(32, 'b'))), hash);
  TaskScores other = ExampleScores();
  other.scores[0][0].log_likelihood = std::nextafter(-1.25, 0.0);
  EXPECT_NE(Must(WriteScoreFile(Directory(), other, kPlanHash)), hash);
  struct stat status {};
  ASSERT_EQ(::stat(Path(hash, "scores").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(ScoreFile, RepairsADamagedFileWhenTheSameIsWrittenAgain) {
  const std::string hash = Must(WriteScoreFile(Directory(), ExampleScores(), kPlanHash));
  std::ofstream(Path(hash, "scores"), std::ios::trunc) << "damaged";
  EXPECT_EQ(ReadScoreFile(Directory(), hash).error().kind, ErrorKind::kInvalidData);
  EXPECT_EQ(Must(WriteScoreFile(Directory(), ExampleScores(), kPlanHash)), hash);
  EXPECT_TRUE(ReadScoreFile(Directory(), hash));
}

template <typename Read>
void ExpectEveryDamageRefused(const std::string& path, Read read) {
  std::ifstream file(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  ASSERT_TRUE(read());
  const auto expect_refused = [&](std::size_t place) {
    const auto result = read();
    ASSERT_FALSE(result) << "at " << place;
    ASSERT_EQ(result.error().kind, ErrorKind::kInvalidData);
    ASSERT_NE(result.error().message.find(path), std::string::npos);
  };
  // Written in place: a file that is truncated and written anew is flushed to the disk by some file
  // systems.
  std::fstream damaged(path, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](std::size_t place, char byte) {
    damaged.seekp(static_cast<std::streamoff>(place)).put(byte).flush();
  };
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    put(bit / 8, static_cast<char>(whole[bit / 8] ^ (1 << (bit % 8))));
    expect_refused(bit);
    put(bit / 8, whole[bit / 8]);
  }
  ASSERT_TRUE(read());
  put(whole.size(), 'x');
  expect_refused(whole.size());
  for (std::size_t size = whole.size(); size-- > 0;) {
    std::filesystem::resize_file(path, size);
    expect_refused(size);
  }
}

TEST_F(ScoreFile, RefusesAPlanCutAnywhereOrWithAnyBitFlipped) {
  const std::string hash = Must(WritePlanFile(Directory(), ExamplePlan()));
  ExpectEveryDamageRefused(Path(hash, "plan"), [&] { return ReadPlanFile(Directory(), hash); });
}

TEST_F(ScoreFile, RefusesScoresCutAnywhereOrWithAnyBitFlipped) {
  const std::string hash = Must(WriteScoreFile(Directory(), ExampleScores(), kPlanHash));
  ExpectEveryDamageRefused(Path(hash, "scores"), [&] { return ReadScoreFile(Directory(), hash); });
}

TEST_F(ScoreFile, RefusesCountsThatCannotLieInTheFileBeforeTakingMemory) {
  for (const std::uint64_t count :
       {std::uint64_t{1}, std::uint64_t{1} << 33, std::uint64_t{1} << 61, ~std::uint64_t{0}}) {
    ByteWriter scores;
    scores.Raw("CPLDSCOR");
    scores.U32(1);
    scores.Text("task");
    scores.Raw(kPlanHash);
    scores.U64(count);
    const std::string text =
        ErrorText(ReadScoreFile(Directory(), StoreClosed(scores.bytes(), "scores")));
    EXPECT_NE(text.find("items are announced"), std::string::npos) << text;
    scores = {};
    scores.Raw("CPLDSCOR");
    scores.U32(1);
    scores.Text("task");
    scores.Raw(kPlanHash);
    scores.U64(1);
    scores.U64(count);
    const std::string choices =
        ErrorText(ReadScoreFile(Directory(), StoreClosed(scores.bytes(), "scores")));
    EXPECT_NE(choices.find("choices are announced"), std::string::npos) << choices;

    ByteWriter plan;
    plan.Raw("CPLDPLAN");
    plan.U32(1);
    plan.Text("task");
    plan.U64(count);
    const std::string metrics =
        ErrorText(ReadPlanFile(Directory(), StoreClosed(plan.bytes(), "plan")));
    EXPECT_NE(metrics.find("metrics are announced"), std::string::npos) << metrics;
  }
}

TEST_F(ScoreFile, RefusesWhatARightHashClosesWrongly) {
  const auto closed = [&](std::uint32_t version, double value, std::uint8_t flag,
                          std::string_view rest) {
    ByteWriter writer;
    writer.Raw("CPLDSCOR");
    writer.U32(version);
    writer.Text("task");
    writer.Raw(kPlanHash);
    writer.U64(1);
    writer.U64(1);
    writer.F64(value);
    writer.U8(flag);
    writer.Raw(rest);
    return ErrorText(ReadScoreFile(Directory(), StoreClosed(writer.bytes(), "scores")));
  };
  EXPECT_EQ(closed(1, -1.0, 1, ""), "no error");
  EXPECT_TRUE(closed(2, -1.0, 1, "").starts_with("unsupported: "));
  EXPECT_NE(closed(1, std::nan(""), 1, "").find("is NaN"), std::string::npos);
  EXPECT_NE(closed(1, -1.0, 2, "").find("2 is no flag"), std::string::npos);
  EXPECT_NE(closed(1, -1.0, 1, "x").find("1 bytes are left over"), std::string::npos);
}

TEST_F(ScoreFile, RefusesAFileOfTheOtherKindAndNamesThatAreNoHashes) {
  const std::string hash = Must(WritePlanFile(Directory(), ExamplePlan()));
  std::filesystem::rename(Path(hash, "plan"), Path(hash, "scores"));
  EXPECT_NE(ErrorText(ReadScoreFile(Directory(), hash)).find("does not begin with CPLDSCOR"),
            std::string::npos);
  for (const std::string name : {"", "../../etc/passwd", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}) {
    EXPECT_EQ(ReadScoreFile(Directory(), name).error().kind, ErrorKind::kInvalidData) << name;
  }
  EXPECT_EQ(ReadPlanFile(Directory(), kPlanHash).error().kind, ErrorKind::kNotFound);
}

TEST_F(ScoreFile, RefusesToWriteNaN) {
  TaskScores scores = ExampleScores();
  scores.scores[2][1].log_likelihood = std::nan("");
  const std::string text = ErrorText(WriteScoreFile(Directory(), scores, kPlanHash));
  EXPECT_TRUE(
      text.starts_with("invalid_data: scores of truthfulqa_mc2: the log-likelihood of "
                       "item 2, choice 1 is NaN"))
      << text;
  EXPECT_FALSE(WriteScoreFile(Directory(), ExampleScores(), "no hash"));
}

class UnfinishedLogs : public ScoreFile {
 protected:
  // Written `age` before kNow.
  std::string Leave(const std::string& key, const std::string& text, std::chrono::hours age) const {
    std::filesystem::create_directories(Directory());
    const std::string path = UnfinishedLogPath(Directory(), key);
    std::ofstream(path) << text;
    timespec time{};
    time.tv_sec = kNow / 1000 - std::chrono::seconds(age).count();
    const timespec times[] = {time, time};
    ::utimensat(AT_FDCWD, path.c_str(), times, 0);
    return path;
  }
  // Those older than a week, and those of /gone.
  std::size_t Remove() const {
    constexpr UnixMillis kWeek = 7 * 24 * 3600 * 1000;
    return RemoveUnfinishedLogs(Directory(), kNow - kWeek, [](const std::string& checkpoint) {
      return checkpoint == "/gone";
    });
  }

  static constexpr UnixMillis kNow = 1700000000000;
};

TEST_F(UnfinishedLogs, AreRemovedWhenTheyAreOldOrTheirCheckpointIsGone) {
  using std::chrono::hours;
  const std::string title = UnfinishedLogTitle("/here") + "\n0 00 hash\n";
  const std::string old = Leave("01", title, hours(8 * 24));
  const std::string fresh = Leave("02", title, hours(6 * 24));
  const std::string gone = Leave("03", UnfinishedLogTitle("/gone") + "\n", hours(1));
  const std::string untitled = Leave("04", "0 00 hash\n", hours(1));
  const std::string torn = Leave("05", UnfinishedLogTitle("/gone"), hours(1));
  EXPECT_EQ(Remove(), 2u);
  EXPECT_FALSE(std::filesystem::exists(old));
  EXPECT_FALSE(std::filesystem::exists(gone));
  for (const std::string& path : {fresh, untitled, torn}) {
    EXPECT_TRUE(std::filesystem::exists(path)) << path;
  }
}

TEST_F(UnfinishedLogs, AreTheOnlyFilesThatAreRemoved) {
  const std::string log = Leave("01", "", std::chrono::hours(0));
  const std::string scores = WriteScoreFile(Directory(), {.task = "t"}, kPlanHash).value();
  const std::string target = Directory() + "/target";
  std::ofstream(target) << UnfinishedLogTitle("/gone") << "\n";
  std::filesystem::create_symlink(target, Directory() + "/.link.unfinished");
  std::filesystem::create_directory(Directory() + "/.directory.unfinished");
  const auto all_gone = [](const std::string&) { return true; };
  constexpr UnixMillis kEver = std::numeric_limits<UnixMillis>::max();
  EXPECT_EQ(RemoveUnfinishedLogs(Directory(), kEver, all_gone), 1u);
  EXPECT_FALSE(std::filesystem::exists(log));
  EXPECT_TRUE(std::filesystem::exists(Path(scores, "scores")));
  EXPECT_TRUE(std::filesystem::exists(target));
  EXPECT_EQ(RemoveUnfinishedLogs(Directory() + "/absent", kEver, all_gone), 0u);
}

}  // namespace
}  // namespace couplingd
