// Reading beside a writer, after a dead one, and where nothing can be written.
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>

#include "history/sqlite.h"
#include "tests/history/fixture.h"

namespace couplingd {
namespace {

using Reading = HistoryTest;

TEST_F(Reading, BesideAWriterSeesWhatIsCommittedAndNoMore) {
  auto writer = OpenWriter();
  auto reader = OpenReader();
  EXPECT_EQ(reader->Note(), "");
  for (int i = 0; i < 20; ++i) {
    Must(writer->SetValue("i", std::to_string(i)));
    if (i % 5 == 0) Must(writer->CheckpointLog());
    EXPECT_EQ(Must(reader->Value("i")), std::to_string(i));
  }
  writer.reset();
  EXPECT_EQ(Must(reader->Value("i")), "19");
}

TEST_F(Reading, KnowsWhenAnythingWasRecorded) {
  auto writer = OpenWriter();
  const std::int64_t run = Must(writer->SaveRun(ExampleRun("a")));
  Checkpoint checkpoint = ExampleCheckpoint(run, 1);
  checkpoint.discovered_at = kStart + 10;
  checkpoint.updated_at = kStart + 20;
  Must(writer->SaveCheckpoint(checkpoint));
  clock_.Advance(std::chrono::milliseconds(30));
  Must(writer->SaveCoupling(ExampleCoupling()));
  Must(writer->SaveForecast(ExampleForecast()));
  clock_.Advance(std::chrono::milliseconds(10));
  Must(writer->SaveAlert(ExampleAlert("k", 1, AlertState::kFiring)));
  HistoryFilter filter;
  EXPECT_EQ(Must(writer->reader().RecordedTimes(filter)),
            (std::vector<UnixMillis>{kStart + 10, kStart + 20, kStart + 30, kStart + 40}));
  filter.since = kStart + 15;
  filter.until = kStart + 30;
  EXPECT_EQ(Must(writer->reader().RecordedTimes(filter)),
            (std::vector<UnixMillis>{kStart + 20, kStart + 30}));
}

TEST_F(Reading, NeverCheckpointsOrRemovesTheLog) {
  auto writer = OpenWriter();
  Must(writer->SetValue("a", "1"));
  const std::string log = Database() + "-wal";
  const auto size = std::filesystem::file_size(log);
  EXPECT_GT(size, 0u);
  OpenReader().reset();
  EXPECT_EQ(std::filesystem::file_size(log), size);
}

TEST_F(Reading, AfterAKilledWriterSeesItsLog) {
  const std::string child = InChild([&]() -> std::string {
    auto writer = HistoryWriter::Open(Directory(), clock_);
    if (!writer || !(*writer)->SetValue("a", "1")) return "could not write";
    ::raise(SIGKILL);
    return "survived";
  });
  EXPECT_EQ(child, "killed by signal 9");
  ASSERT_GT(std::filesystem::file_size(Database() + "-wal"), 0u);
  std::filesystem::remove(Database() + "-shm");  // as after a reboot onto a copied folder
  EXPECT_EQ(Must(OpenReader()->Value("a")), "1");
  EXPECT_GT(std::filesystem::file_size(Database() + "-wal"), 0u);
  EXPECT_EQ(Must(OpenWriter()->reader().Value("a")), "1");
}

TEST_F(Reading, FromANameFullOfSpecialCharacters) {
  const std::string directory = Directory() + "/a?b#c%41 d";
  Must(Must(HistoryWriter::Open(directory, clock_))->SetValue("a", "1"));
  EXPECT_EQ(Must(Must(HistoryReader::Open("/" + directory + "/history.db"))->Value("a")), "1");
}

TEST_F(Reading, CannotWrite) {
  auto writer = OpenWriter();
  auto connection = Must(Connection::Open(Database(), Connection::Access::kRead));
  const Status status = connection->Execute("INSERT INTO named_values VALUES ('a', 'b')");
  EXPECT_EQ(status.error().kind, ErrorKind::kPermission) << ErrorText(status);
}

TEST_F(Reading, StopsAQueryThatTakesTooLong) {
  OpenWriter().reset();
  auto connection = Must(Connection::Open(Database(), Connection::Access::kRead));
  const SystemClock clock;
  connection->LimitStatementTime(std::chrono::milliseconds(50), clock);
  constexpr std::string_view kEndless =
      "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  const auto begin = clock.Steady();
  const std::string text = ErrorText(connection->QueryInt(kEndless));
  EXPECT_NE(text.find("took longer than 50 ms"), std::string::npos) << text;
  EXPECT_LT(clock.Steady() - begin, std::chrono::seconds(20));
  EXPECT_EQ(Must(connection->QueryInt("SELECT 1")), 1);
}

// Within a child that sees a private file system: a store with "a" = "1" in it; `closed` leaves no
// log behind.
std::string MakeStore(const std::string& directory, const Clock& clock, bool closed) {
  if (!closed) {
    return InChild([&]() -> std::string {
      auto writer = HistoryWriter::Open(directory, clock);
      if (!writer || !(*writer)->SetValue("a", "1")) return "could not write";
      ::raise(SIGKILL);
      return "survived";
    });
  }
  auto writer = HistoryWriter::Open(directory, clock);
  if (!writer) return writer.error().Text();
  const Status status = (*writer)->SetValue("a", "1");
  return status ? "" : status.error().Text();
}

std::string ReadBack(const std::string& database) {
  auto reader = HistoryReader::Open(database);
  if (!reader) return ErrorText(reader);
  const auto value = (*reader)->Value("a");
  if (!value) return ErrorText(value);
  return fmt::format("{}, {}", value->value_or("nothing"),
                     (*reader)->Note().empty() ? "live" : "snapshot");
}

class ReadingReadOnlyFileSystem : public HistoryTest {
 protected:
  std::string ReadAfter(bool closed, bool remove_index) {
    std::filesystem::create_directories(Directory());
    return InChildWithFileSystem(Directory(), 4 << 20, [&]() -> std::string {
      MakeStore(Directory(), clock_, closed);
      if (remove_index) std::filesystem::remove(Database() + "-shm");
      if (!MakeReadOnly(Directory())) return "could not remount";
      return ReadBack(Database());
    });
  }
};

TEST_F(ReadingReadOnlyFileSystem, ReadsADatabaseThatWasClosed) {
  const std::string text = ReadAfter(true, false);
  if (text == kNoMount) GTEST_SKIP() << "this machine allows no mounts to tests";
  EXPECT_EQ(text, "1, snapshot");
}

TEST_F(ReadingReadOnlyFileSystem, ReadsTheLogOfADeadWriter) {
  const std::string text = ReadAfter(false, false);
  if (text == kNoMount) GTEST_SKIP() << "this machine allows no mounts to tests";
  EXPECT_EQ(text, "1, live");
}

TEST_F(ReadingReadOnlyFileSystem, ReadsTheLogFromACopyWhereItsIndexIsGone) {
  const TemporaryDirectory copies;
  ::setenv("TMPDIR", copies.path().c_str(), 1);
  const std::string text = ReadAfter(false, true);
  ::unsetenv("TMPDIR");
  if (text == kNoMount) GTEST_SKIP() << "this machine allows no mounts to tests";
  EXPECT_EQ(text, "1, snapshot");
  EXPECT_TRUE(std::filesystem::is_empty(copies.path()));
}

}  // namespace
}  // namespace couplingd
