// Where answers come from: the daemon, or the database where no daemon runs.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/cli.h"
#include "config/config.h"
#include "queries/queries.h"

namespace couplingd {

struct SourceOptions {
  std::string config;  // --config
  std::string db;      // --db: a database, or the state directory that holds it; no daemon is asked
  std::string socket;  // --socket: this daemon and no other
};

// The places that the options, COUPLINGD_CONFIG and the default file name, in that order.
struct Places {
  std::optional<Config> config;  // absent where --db or --socket came without a file
  std::string database;          // empty where only a socket is known
  std::string socket;            // empty with --db
};
// kNotFound where nothing is named anywhere; a configuration that is named and cannot be read is
// its error.
Result<Places> FindPlaces(const SourceOptions& options, const CliServices& services);

class AnswerSource {
 public:
  virtual ~AnswerSource() = default;
  // The JSON document that queries.h promises for the verb.
  virtual Result<std::string> Ask(std::string_view verb, const QueryParameters& parameters) = 0;
};

// The daemon if it answers, else the database, read-only.
Result<std::unique_ptr<AnswerSource>> OpenSource(const Places& places, const CliServices& services);

// POST /api/v1/VERB. kUnavailable where no daemon answers, or none may be asked (--db).
Result<std::string> PostToDaemon(const Places& places, const CliServices& services,
                                 std::string_view verb, const std::string& body);

// The writer on the state directory, for when no daemon runs. kConflict names who holds it.
Result<std::unique_ptr<HistoryWriter>> OpenWriter(const Places& places,
                                                  const CliServices& services);

}  // namespace couplingd
