// Opening a store: who may, what it looks like on disk, and what is refused.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "history/migrations.h"
#include "history/schema.h"
#include "history/sqlite.h"
#include "tests/history/fixture.h"

namespace couplingd {
namespace {

using Opening = HistoryTest;

int ModeOf(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<int>(status.st_mode & 0777) : -1;
}

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Overwrite(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

// A closed store with something in it, so that the log is empty and gone.
void FillAndClose(std::unique_ptr<HistoryWriter> writer) {
  Must(writer->Transaction([&]() -> Status {
    const std::int64_t run = TRY(writer->SaveRun(ExampleRun("a")));
    for (int step = 0; step < 500; ++step)
      TRY(writer->SaveCheckpoint(ExampleCheckpoint(run, step)));
    return {};
  }));
}

TEST_F(Opening, MakesEverythingPrivateWhateverTheUmask) {
  const mode_t before = ::umask(0);
  auto writer = OpenWriter();
  Must(writer->SetValue("a", "1"));
  ::umask(before);
  EXPECT_EQ(ModeOf(Directory()), 0700);
  EXPECT_EQ(ModeOf(Directory() + "/scores"), 0700);
  for (const char* name : {"history.db", "history.db-wal", "history.db-shm", "lock"}) {
    EXPECT_EQ(ModeOf(Directory() + "/" + name), 0600) << name;
  }
}

TEST_F(Opening, TightensAnEmptyDirectoryAndLeavesOneThatHoldsOtherThings) {
  std::filesystem::create_directories(Directory());
  ::chmod(Directory().c_str(), 0775);
  OpenWriter().reset();
  EXPECT_EQ(ModeOf(Directory()), 0700);
  Overwrite(Directory() + "/notes.txt", "mine");
  ::chmod(Directory().c_str(), 0775);
  auto writer = OpenWriter();
  EXPECT_EQ(ModeOf(Directory()), 0775);
  const auto events = Must(writer->reader().Events(0));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_NE(events[0].text.find("other users can write"), std::string::npos);
}

TEST_F(Opening, WritesAheadAndSyncsFully) {
  auto writer = OpenWriter();
  auto connection = Must(Connection::Open(Database(), Connection::Access::kWrite));
  EXPECT_EQ(Must(connection->QueryText("PRAGMA journal_mode")), "wal");
  EXPECT_EQ(Must(connection->QueryInt("PRAGMA synchronous")), 2);
  EXPECT_EQ(Must(connection->QueryInt("PRAGMA wal_autocheckpoint")), 0);
  EXPECT_EQ(Must(connection->QueryInt("PRAGMA foreign_keys")), 1);
  EXPECT_EQ(Must(connection->QueryInt("PRAGMA mmap_size")), 0);
  EXPECT_EQ(Must(connection->QueryInt("PRAGMA application_id")), kApplicationId);
  EXPECT_EQ(Must(connection->QueryInt("PRAGMA user_version")), kSchemaVersion);
  EXPECT_EQ(Must(connection->QueryInt(
                "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
                "AND strict = 0 AND name NOT LIKE 'sqlite_%'")),
            0);
}

TEST_F(Opening, RefusesASecondWriterAndNamesTheFirst) {
  auto writer = OpenWriter();
  const std::string expected = fmt::format("conflict: the store {} is in use by process {} on host",
                                           Directory(), ::getpid());
  EXPECT_TRUE(ErrorText(HistoryWriter::Open(Directory(), clock_)).starts_with(expected));
  const std::string other =
      InChild([&] { return ErrorText(HistoryWriter::Open(Directory(), clock_)); });
  EXPECT_TRUE(other.starts_with(expected)) << other;
  Must(writer->SetValue("still", "works"));
  writer.reset();
  EXPECT_TRUE(HistoryWriter::Open(Directory(), clock_));
}

TEST_F(Opening, KeepsWhatWasWrittenBefore) {
  FillAndClose(OpenWriter());
  auto writer = OpenWriter();
  EXPECT_EQ(Must(writer->reader().Checkpoints({})).size(), 500u);
}

TEST_F(Opening, OfAReaderNeedsADatabase) {
  const std::string missing = ErrorText(HistoryReader::Open(Database()));
  EXPECT_TRUE(missing.starts_with("not_found: open database " + Database())) << missing;
  OpenWriter().reset();
  const std::string folder = ErrorText(HistoryReader::Open(Directory()));
  EXPECT_TRUE(folder.starts_with("invalid_data:")) << folder;
  EXPECT_NE(folder.find("give " + Database()), std::string::npos) << folder;
  Overwrite(Directory() + "/empty.db", "");
  EXPECT_EQ(HistoryReader::Open(Directory() + "/empty.db").error().kind, ErrorKind::kNotFound);
}

TEST_F(Opening, RefusesAFileThatIsNoDatabase) {
  FillAndClose(OpenWriter());
  Overwrite(Database(), std::string(8192, 'x'));
  const std::string writer = ErrorText(HistoryWriter::Open(Directory(), clock_));
  EXPECT_TRUE(writer.starts_with("invalid_data: database " + Database())) << writer;
  EXPECT_NE(writer.find("file is not a database"), std::string::npos) << writer;
  EXPECT_EQ(ErrorText(HistoryReader::Open(Database())), writer);
  EXPECT_EQ(Contents(Database()), std::string(8192, 'x'));
}

TEST_F(Opening, RefusesAHeaderOfGarbageAndADatabaseCutShort) {
  FillAndClose(OpenWriter());
  const std::string whole = Contents(Database());
  ASSERT_GT(whole.size(), 100'000u);
  for (const std::size_t size : {1u, 99u, 100u, 511u, 512u, 4095u, 4096u, 20'000u, 65'536u}) {
    Overwrite(Database(), whole.substr(0, size));
    const std::string text = ErrorText(HistoryWriter::Open(Directory(), clock_));
    EXPECT_TRUE(text.starts_with("invalid_data: ")) << size << " bytes: " << text;
    EXPECT_NE(text.find(Database()), std::string::npos) << text;
  }
  // The schema's own page and a page of rows, turned to noise.
  for (const std::size_t page : {0u, 4u}) {
    std::string damaged = whole;
    for (std::size_t i = page == 0 ? 100 : 0; i < 4096; ++i) {
      damaged[page * 4096 + i] = static_cast<char>(i * 37);
    }
    Overwrite(Database(), damaged);
    const std::string text = ErrorText(HistoryWriter::Open(Directory(), clock_));
    EXPECT_TRUE(text.starts_with("invalid_data: ")) << "page " << page << ": " << text;
    EXPECT_EQ(Contents(Database()), damaged);
  }
}

TEST_F(Opening, RefusesAnEmptyDatabaseBesideALogOrScores) {
  OpenWriter().reset();
  Overwrite(Database(), "");
  Overwrite(Database() + "-wal", "the last commits");
  const std::string text = ErrorText(HistoryWriter::Open(Directory(), clock_));
  EXPECT_TRUE(text.starts_with("invalid_data: ")) << text;
  EXPECT_NE(text.find("history.db-wal is there"), std::string::npos) << text;
  EXPECT_EQ(Contents(Database() + "-wal"), "the last commits");
  std::filesystem::remove(Database() + "-wal");
  Overwrite(Directory() + "/scores/x.scores", "scores");
  EXPECT_EQ(HistoryWriter::Open(Directory(), clock_).error().kind, ErrorKind::kInvalidData);
  std::filesystem::remove(Directory() + "/scores/x.scores");
  EXPECT_TRUE(HistoryWriter::Open(Directory(), clock_));
}

std::string SchemaText(Connection& connection) {
  return Must(connection.QueryText(
      "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema ORDER BY name)"));
}

// What version 1 wrote of a run, an alert that a sink was told of, and a coupling.
constexpr char kOldRows[] = R"sql(
INSERT INTO runs VALUES (1, 'pythia-70m', 'pythia', '/p', NULL, NULL, NULL, 1);
INSERT INTO alerts VALUES (1, 'k', 1, 'firing', 100, 0, 0, 'tax', 'phase', 'pythia-70m', 's', 1,
  'critical', '', '', '{}', '{}', '[]', '', 100);
INSERT INTO deliveries VALUES (5, 'id', 'slack', 'k', 1, 2, 200, 'delivered', 'ok', 150);
)sql";

TEST_F(Opening, BringsADatabaseOfEveryOlderSchemaForwardWithWhatItHolds) {
  std::string newest;
  {
    const auto writer = OpenWriter();
    newest = SchemaText(*Must(Connection::Open(Database(), Connection::Access::kRead)));
  }
  for (int version = 1; version < kSchemaVersion; ++version) {
    for (const char* file : {"", "-wal", "-shm"}) std::filesystem::remove(Database() + file);
    std::ofstream(Database()).close();
    {
      auto connection = Must(Connection::Open(Database(), Connection::Access::kWrite));
      for (int from = 0; from < version; ++from) {
        Must(connection->Execute(Migration(from)));
        if (from == 0) Must(connection->Execute(kOldRows));
      }
      Must(connection->Execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                           kApplicationId, version)));
    }
    const std::string older = ErrorText(HistoryReader::Open(Database()));
    EXPECT_NE(older.find(fmt::format("older schema {}", version)), std::string::npos) << older;
    auto writer = OpenWriter();
    Must(writer->SaveCoupling(ExampleCoupling()));
    EXPECT_EQ(Must(writer->reader().Couplings({}))[0].evidence, ExampleCoupling().evidence);
    EXPECT_EQ(Must(writer->reader().Runs())[0].name, "pythia-70m");
    const auto deliveries = Must(writer->reader().Deliveries("delivered"));
    ASSERT_EQ(deliveries.size(), 1u);
    EXPECT_EQ(deliveries[0].id, 5);
    EXPECT_EQ(deliveries[0].severity, Severity::kCritical);
    EXPECT_EQ(deliveries[0].group, "tax\npythia-70m");
    auto connection = Must(Connection::Open(Database(), Connection::Access::kWrite));
    EXPECT_EQ(SchemaText(*connection), newest);
    EXPECT_EQ(Must(connection->QueryInt("PRAGMA user_version")), kSchemaVersion);
  }
}

TEST_F(Opening, RefusesASchemaFromTheFuture) {
  FillAndClose(OpenWriter());
  {
    auto connection = Must(Connection::Open(Database(), Connection::Access::kWrite));
    Must(connection->Execute(fmt::format("PRAGMA user_version = {}", kSchemaVersion + 1)));
  }
  const std::string before = Contents(Database());
  const std::string text = ErrorText(HistoryWriter::Open(Directory(), clock_));
  EXPECT_TRUE(text.starts_with("unsupported: ")) << text;
  EXPECT_NE(text.find(fmt::format("schema {}, which is newer than schema {}", kSchemaVersion + 1,
                                  kSchemaVersion)),
            std::string::npos)
      << text;
  EXPECT_EQ(ErrorText(HistoryReader::Open(Database())), text);
  EXPECT_EQ(Contents(Database()), before);
}

TEST_F(Opening, RefusesTheDatabaseOfAnotherProgram) {
  std::filesystem::create_directories(Directory());
  Overwrite(Database(), "");
  {
    auto connection = Must(Connection::Open(Database(), Connection::Access::kWrite));
    Must(connection->Execute("CREATE TABLE bookmarks (url)"));
  }
  const std::string before = Contents(Database());
  const std::string text = ErrorText(HistoryWriter::Open(Directory(), clock_));
  EXPECT_NE(text.find("not one of couplingd"), std::string::npos) << text;
  EXPECT_EQ(Contents(Database()), before);
}

TEST_F(Opening, RefusesAStoreThatIsAFile) {
  Overwrite(Directory(), "a file");
  const std::string text = ErrorText(HistoryWriter::Open(Directory(), clock_));
  EXPECT_NE(text.find(Directory()), std::string::npos) << text;
}

}  // namespace
}  // namespace couplingd
