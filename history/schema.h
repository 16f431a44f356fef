// The tables, and how a database of an older version becomes one of this version.
#pragma once

#include "base/result.h"
#include "history/sqlite.h"

namespace couplingd {

inline constexpr int kApplicationId = 0x43504c44;  // "CPLD", in bytes 68 to 71 of the file
inline constexpr int kSchemaVersion = 5;           // PRAGMA user_version

// kUnsupported for a newer schema, or an older one, which only a writer can bring forward;
// kNotFound for an empty database; kInvalidData for the database of another program.
Status VerifySchema(Connection& connection);

// For the writer: verifies, checks the file, turns on the write-ahead log and applies every missing
// migration, each in a transaction of its own.
Status PrepareSchema(Connection& connection);

}  // namespace couplingd
