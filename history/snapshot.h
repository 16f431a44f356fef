// Reading a database beside which nothing can be written: without the shared-memory file that
// SQLite needs to read a live write-ahead log.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "history/sqlite.h"

namespace couplingd {

// True where a live reader cannot work: the folder takes no new file, and the log's files are not
// both there.
bool NeedsSnapshot(const std::string& database);

// A connection to a database at rest, and the private copy it may read from, which goes away with
// it.
class Snapshot {
 public:
  // With an empty log the file itself is read as immutable; otherwise database and log are copied
  // to a temporary folder, where the log is applied. Nothing that was committed is left out.
  // kConflict where a writer holds the directory's lock.
  static Result<std::unique_ptr<Snapshot>> Open(const std::string& database);
  ~Snapshot();

  std::unique_ptr<Connection> TakeConnection() { return std::move(connection_); }
  const std::string& note() const { return note_; }

 private:
  Snapshot() = default;
  Status Copy(const std::string& database);

  std::string copy_directory_;  // empty where the file itself is read
  std::unique_ptr<Connection> connection_;
  std::string note_;
};

}  // namespace couplingd
