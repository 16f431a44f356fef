// The state directory and the files of the database in it, before SQLite opens them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace couplingd {

// Makes `directory` and `scores` in it (0700). One that was empty or held nothing but ours becomes
// 0700 as well. Returns a sentence for everything about its place that a user should know.
Result<std::vector<std::string>> PrepareStateDirectory(const std::string& directory);

// Makes the database an empty file (0600) where there is none, so that SQLite gives its log the
// same mode whatever the umask. An empty or missing database beside a log or score files is
// kInvalidData: SQLite would drop that log, and a new history would hide that the old one is lost.
// Call while holding the directory's lock.
Status PrepareDatabaseFile(const std::string& directory);

}  // namespace couplingd
