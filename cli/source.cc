#include "cli/source.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "base/json.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxAnswerBytes = 512u << 20;

std::string Encoded(std::string_view text) {
  std::string encoded;
  for (unsigned char c : text) {
    const bool plain = std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~';
    encoded += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return encoded;
}

ErrorKind KindOf(std::string_view word) {
  for (int i = 0; i <= static_cast<int>(ErrorKind::kInternal); ++i) {
    if (ToString(static_cast<ErrorKind>(i)) == word) return static_cast<ErrorKind>(i);
  }
  return ErrorKind::kInternal;
}

// The error in the body of an answer whose status is not 200.
std::unexpected<Error> DaemonError(const HttpResponse& response) {
  const auto document = ParseJson(response.body, "answer of the daemon");
  const JsonValue* error = document ? FindMember(*document, "error") : nullptr;
  if (!error || !error->IsObject()) {
    return Fail(ErrorKind::kInternal,
                fmt::format("the daemon answered with status {}", response.status));
  }
  const auto text = [&](std::string_view key) {
    const auto found = FindString(*error, key, "");
    return found && *found ? **found : std::string();
  };
  return Fail(KindOf(text("kind")), text("message"), text("hint"));
}

Result<std::string> Exchange(HttpClient& http, const std::string& socket, const std::string& method,
                             const std::string& target, const std::string& body) {
  HttpRequest request;
  request.method = method;
  request.url = Secret("http://couplingd" + target);
  request.unix_socket = socket;
  request.body = body;
  if (!body.empty()) request.headers = {{"Content-Type", "application/json"}};
  request.timeout = std::chrono::seconds(120);
  request.max_response_bytes = kMaxAnswerBytes;
  HttpResponse response = TRY(http.Send(request));
  if (response.status != 200) return DaemonError(response);
  if (response.truncated) {
    return Fail(ErrorKind::kExhausted,
                fmt::format("the answer is longer than {} MiB", kMaxAnswerBytes >> 20),
                "narrow it with --run, --task, --step or --since");
  }
  return std::move(response.body);
}

class DaemonSource final : public AnswerSource {
 public:
  DaemonSource(HttpClient& http, std::string socket) : http_(http), socket_(std::move(socket)) {}

  Result<std::string> Ask(std::string_view verb, const QueryParameters& parameters) override {
    std::string target = fmt::format("/api/v1/{}", verb);
    char separator = '?';
    for (const auto& [name, value] : parameters) {
      target +=
          fmt::format("{}{}={}", std::exchange(separator, '&'), Encoded(name), Encoded(value));
    }
    return Exchange(http_, socket_, "GET", target, "");
  }

 private:
  HttpClient& http_;
  const std::string socket_;
};

class DatabaseSource final : public AnswerSource {
 public:
  DatabaseSource(std::unique_ptr<HistoryReader> reader, Config config, const Clock& clock)
      : reader_(std::move(reader)), config_(std::move(config)), clock_(clock) {}

  Result<std::string> Ask(std::string_view verb, const QueryParameters& parameters) override {
    return Answer(*reader_, config_, clock_, verb, parameters);
  }

 private:
  const std::unique_ptr<HistoryReader> reader_;
  const Config config_;
  const Clock& clock_;
};

// Something accepts connections there. A file that a dead daemon left behind does not.
bool Answers(HttpClient& http, const std::string& socket) {
  if (socket.empty() || ::access(socket.c_str(), F_OK) != 0) return false;
  HttpRequest request;
  request.url = Secret("http://couplingd/-/healthy");
  request.unix_socket = socket;
  request.timeout = std::chrono::seconds(5);
  return http.Send(request).has_value();
}

// A directory, or what is to become one: no file is there and the name has no ending.
bool IsStateDirectory(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ||
         (!std::filesystem::exists(path, ignored) && !std::filesystem::path(path).has_extension());
}

Result<Config> DefaultConfig() { return ParseConfig("", "defaults"); }

}  // namespace

Result<Places> FindPlaces(const SourceOptions& options, const CliServices& services) {
  Places places;
  const auto variable = services.environment.find("COUPLINGD_CONFIG");
  std::string file = options.config;
  if (file.empty() && variable != services.environment.end()) file = variable->second;
  const bool is_default = file.empty();
  if (is_default && ::access(services.default_config.c_str(), F_OK) == 0)
    file = services.default_config;
  if (!file.empty()) {
    auto config = LoadConfig(file);
    const bool needed = options.db.empty() && options.socket.empty();
    if (config)
      places.config = *std::move(config);
    else if (needed || !is_default)
      return std::unexpected(std::move(config).error());
  }
  if (!options.db.empty()) {
    places.database =
        IsStateDirectory(options.db) ? JoinPath(options.db, kDatabaseName) : options.db;
    return places;
  }
  if (places.config) places.database = places.config->DatabasePath();
  places.socket = !options.socket.empty() ? options.socket
                  : places.config         ? places.config->SocketPath()
                                          : "";
  if (!options.socket.empty()) places.database.clear();
  if (places.database.empty() && places.socket.empty()) {
    return Fail(ErrorKind::kNotFound,
                fmt::format("no daemon and no database: there is no {}", services.default_config),
                "name one with --config FILE, --db FILE or --socket FILE, or set COUPLINGD_CONFIG");
  }
  return places;
}

Result<std::unique_ptr<AnswerSource>> OpenSource(const Places& places,
                                                 const CliServices& services) {
  if (Answers(services.http, places.socket)) {
    return std::make_unique<DaemonSource>(services.http, places.socket);
  }
  if (places.database.empty()) {
    return Fail(ErrorKind::kUnavailable, fmt::format("no daemon answers at {}", places.socket),
                "start couplingd, or read its database with --db");
  }
  auto reader = HistoryReader::Open(places.database);
  if (!reader) {
    Error error = std::move(reader).error();
    if (!places.socket.empty()) {
      error.message = fmt::format("no daemon answers at {}, and {}", places.socket, error.message);
    }
    return std::unexpected(std::move(error));
  }
  Config config = places.config ? *places.config : TRY(DefaultConfig());
  return std::make_unique<DatabaseSource>(*std::move(reader), std::move(config), services.clock);
}

Result<std::string> PostToDaemon(const Places& places, const CliServices& services,
                                 std::string_view verb, const std::string& body) {
  if (!Answers(services.http, places.socket)) {
    return Fail(ErrorKind::kUnavailable,
                places.socket.empty() ? std::string("no daemon is asked with --db")
                                      : fmt::format("no daemon answers at {}", places.socket),
                "start couplingd");
  }
  return Exchange(services.http, places.socket, "POST", fmt::format("/api/v1/{}", verb), body);
}

Result<std::unique_ptr<HistoryWriter>> OpenWriter(const Places& places,
                                                  const CliServices& services) {
  if (places.database.empty()) {
    return Fail(ErrorKind::kUnavailable, fmt::format("no daemon answers at {}", places.socket),
                "start couplingd, or name its database with --db");
  }
  std::error_code ignored;
  const bool is_file = std::filesystem::is_regular_file(places.database, ignored);
  if (is_file && BaseName(places.database) != kDatabaseName) {
    return Fail(
        ErrorKind::kUsage,
        fmt::format("{}: only {} in a state directory is written", places.database, kDatabaseName),
        "name the state directory: --db DIR");
  }
  const bool is_database = BaseName(places.database) == kDatabaseName;
  const std::string named = is_database ? DirectoryName(places.database) : places.database;
  const std::string directory = std::filesystem::absolute(named, ignored).string();
  return HistoryWriter::Open(directory, services.clock);
}

}  // namespace couplingd
