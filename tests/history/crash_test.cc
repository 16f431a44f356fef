// What survives kill -9, a full disk and a file size limit.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "history/score_file.h"
#include "tests/history/fixture.h"

namespace couplingd {
namespace {

using Crash = HistoryTest;

// Commits pairs of values for ever and acknowledges each commit with one byte.
[[noreturn]] void WritePairsForEver(const std::string& directory, const Clock& clock, int first,
                                    int acknowledge) {
  auto writer = HistoryWriter::Open(directory, clock);
  if (!writer) ::_exit(3);
  for (int i = first;; ++i) {
    const Status committed = (*writer)->Transaction([&]() -> Status {
      TRY((*writer)->SetValue(fmt::format("left {}", i), std::string(300, 'x')));
      TRY((*writer)->SetValue(fmt::format("right {}", i), std::string(300, 'x')));
      return {};
    });
    if (!committed || ::write(acknowledge, "+", 1) != 1) ::_exit(4);
    if (i % 7 == 0 && !(*writer)->CheckpointLog()) ::_exit(5);
  }
}

// Lets a child write until it has acknowledged `commits`, kills it `delay` later, and returns how
// many it acknowledged.
int WriteAndKill(const std::string& directory, const Clock& clock, int first, int commits,
                 std::chrono::microseconds delay) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) WritePairsForEver(directory, clock, first, ends[1]);
  ::close(ends[1]);
  char block[64];
  int acknowledged = 0;
  while (acknowledged < commits) {
    const ssize_t got = ::read(ends[0], block, 1);
    if (got != 1) break;
    ++acknowledged;
  }
  pollfd nothing{.fd = -1, .events = 0, .revents = 0};
  const timespec wait{.tv_sec = 0, .tv_nsec = delay.count() * 1000};
  ::ppoll(&nothing, 1, &wait, nullptr);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
  for (ssize_t got; (got = ::read(ends[0], block, sizeof block)) > 0;) {
    acknowledged += static_cast<int>(got);
  }
  ::close(ends[0]);
  return acknowledged;
}

TEST_F(Crash, LosesNothingThatWasAcknowledgedAndLeavesNoHalf) {
  std::mt19937 random(11);
  int written = 0;
  for (int round = 0; round < 40; ++round) {
    const std::chrono::microseconds delay(random() % 3000);
    const int commits = static_cast<int>(random() % 12) + 1;
    const int acknowledged = WriteAndKill(Directory(), clock_, written, commits, delay);
    ASSERT_GE(acknowledged, commits);
    auto reader = OpenReader();
    for (int i = written; i < written + acknowledged; ++i) {
      ASSERT_TRUE(Must(reader->Value(fmt::format("left {}", i)))) << "acknowledged " << i;
    }
    written += acknowledged;
    // The one after the last acknowledged may be there, but whole.
    const bool left = Must(reader->Value(fmt::format("left {}", written))).has_value();
    const bool right = Must(reader->Value(fmt::format("right {}", written))).has_value();
    ASSERT_EQ(left, right);
    written += left;
  }
  auto writer = OpenWriter();
  EXPECT_TRUE(Must(writer->reader().Value(fmt::format("right {}", written - 1))));
}

TEST_F(Crash, WhileAStoreIsMadeLeavesOneThatOpens) {
  for (int round = 0; round < 30; ++round) {
    const TemporaryDirectory directory;
    const std::string store = directory.path() + "/store";
    WriteAndKill(store, clock_, 0, 0, std::chrono::microseconds(round * 700));
    auto writer = Must(HistoryWriter::Open(store, clock_));
    ASSERT_TRUE(writer) << "killed " << round * 700 << " microseconds after its start";
    Must(writer->SetValue("a", "1"));
  }
}

TEST_F(Crash, InTheMiddleOfATransactionUndoesIt) {
  const std::string child = InChild([&]() -> std::string {
    auto writer = HistoryWriter::Open(Directory(), clock_);
    if (!writer || !(*writer)->SetValue("a", "before")) return "could not write";
    const Status status = (*writer)->Transaction([&]() -> Status {
      for (int i = 0; i < 5000; ++i) {
        TRY((*writer)->SetValue(fmt::format("b {}", i), std::string(1000, 'x')));
      }
      TRY((*writer)->SetValue("a", "within"));
      ::raise(SIGKILL);
      return {};
    });
    return "survived";
  });
  EXPECT_EQ(child, "killed by signal 9");
  auto writer = OpenWriter();
  EXPECT_EQ(Must(writer->reader().Value("a")), "before");
  EXPECT_FALSE(Must(writer->reader().Value("b 0")));
  Must(writer->SetValue("a", "after"));
}

// Limits how large a file this process may write, and lifts the limit again.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

// Saves checkpoints until one fails; returns how many were stored, and the error.
std::pair<int, Error> SaveUntilItFails(HistoryWriter& writer, std::int64_t run) {
  for (int step = 0; step < 100'000; ++step) {
    Checkpoint checkpoint = ExampleCheckpoint(run, step);
    checkpoint.reason = std::string(500, 'x');
    const auto saved = writer.SaveCheckpoint(checkpoint);
    if (!saved) return {step, saved.error()};
  }
  return {100'000, {}};
}

TEST_F(Crash, AtAFileSizeLimitIsAnErrorLosesNothingAndHealsByItself) {
  auto writer = OpenWriter();
  const std::int64_t run = Must(writer->SaveRun(ExampleRun("a")));
  std::pair<int, Error> failed;
  Status inner, after, transaction;
  {
    const FileSizeLimit limit(400'000);
    failed = SaveUntilItFails(*writer, run);
    transaction = writer->Transaction([&]() -> Status {
      // More than SQLite's cache holds: the write fails at once, and SQLite undoes all of the
      // transaction.
      inner = writer->SaveEvent("info", "big", std::string(8 << 20, 'x'));
      after = writer->SetValue("small", "1");
      return {};
    });
  }
  EXPECT_GT(failed.first, 10);
  EXPECT_EQ(failed.second.kind, ErrorKind::kExhausted) << failed.second.Text();
  EXPECT_TRUE(failed.second.retryable);
  for (const Status& status : {inner, after, transaction}) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kExhausted) << status.error().Text();
  }
  const std::size_t stored = Must(OpenReader()->Checkpoints({})).size();
  EXPECT_EQ(stored, static_cast<std::size_t>(failed.first));
  EXPECT_FALSE(Must(OpenReader()->Value("small")));
  Must(writer->SaveCheckpoint(ExampleCheckpoint(run, failed.first)));
  Must(writer->CheckpointLog());
  EXPECT_EQ(Must(OpenReader()->Checkpoints({})).size(), stored + 1);
}

std::string FillTheDisk(const std::string& directory, const Clock& clock) {
  auto opened = HistoryWriter::Open(directory, clock);
  if (!opened) return ErrorText(opened);
  HistoryWriter& writer = **opened;
  const auto run = writer.SaveRun(ExampleRun("a"));
  if (!run) return ErrorText(run);
  const auto [stored, error] = SaveUntilItFails(writer, *run);
  if (error.kind != ErrorKind::kExhausted) return "expected exhausted, got " + error.Text();
  if (!error.retryable || stored < 10) return fmt::format("{} stored, {}", stored, error.Text());

  const Status moved = writer.CheckpointLog();
  if (moved) return "a log that cannot be moved was reported as moved";
  if (moved.error().kind != ErrorKind::kExhausted) return ErrorText(moved);
  TaskScores scores{.task = "t", .scores = {std::vector<ChoiceScore>(100'000)}};
  const auto file = WriteScoreFile(directory + "/scores", scores, std::string(32, '0'));
  if (file || file.error().kind != ErrorKind::kExhausted) return "score file: " + ErrorText(file);

  std::filesystem::remove(directory + "/ballast");
  const auto all = writer.reader().Checkpoints({});
  if (!all || static_cast<int>(all->size()) != stored) return "rows were lost";
  const auto again = writer.SaveCheckpoint(ExampleCheckpoint(*run, stored));
  if (!again) return "not healed: " + ErrorText(again);
  const Status healed = writer.CheckpointLog();
  return healed ? "fine" : "not healed: " + ErrorText(healed);
}

TEST_F(Crash, OnAFullDiskIsAnErrorLosesNothingAndHealsByItself) {
  std::filesystem::create_directories(Directory());
  const std::string text = InChildWithFileSystem(Directory(), 2 << 20, [&] {
    std::ofstream(Directory() + "/ballast") << std::string(1 << 20, 'x');
    return FillTheDisk(Directory(), clock_);
  });
  if (text == kNoMount) GTEST_SKIP() << "this machine allows no mounts to tests";
  EXPECT_EQ(text, "fine");
}

TEST_F(Crash, OnADiskThatIsFullFromTheStartIsAnErrorAtOpen) {
  std::filesystem::create_directories(Directory());
  const std::string text = InChildWithFileSystem(Directory(), 64 << 10, [&]() -> std::string {
    std::ofstream(Directory() + "/ballast") << std::string(1 << 20, 'x');
    const std::string refused = ErrorText(HistoryWriter::Open(Directory(), clock_));
    if (!refused.starts_with("exhausted: ")) return refused;
    return "fine";
  });
  if (text == kNoMount) GTEST_SKIP() << "this machine allows no mounts to tests";
  EXPECT_EQ(text, "fine");
}

TEST_F(Crash, LogsThatGrewLargeAreTruncatedOnceReadersAreDone) {
  auto writer = OpenWriter();
  const std::string log = Database() + "-wal";
  for (int i = 0; i < 40; ++i) Must(writer->SetValue("big", std::string(1 << 20, char('a' + i))));
  ASSERT_GT(std::filesystem::file_size(log), 16u << 20);
  Must(writer->CheckpointLog());
  EXPECT_EQ(std::filesystem::file_size(log), 0u);
  EXPECT_EQ(Must(OpenReader()->Value("big")), std::string(1 << 20, char('a' + 39)));
}

}  // namespace
}  // namespace couplingd
