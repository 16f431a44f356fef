#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "base/secret.h"
#include "config/config.h"

namespace couplingd {
namespace {

class Checker {
 public:
  // A directory that can be listed and entered.
  void Directory(const std::string& field, const std::string& path, const std::string& hint) {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return Problem(field, path, std::strerror(errno), hint);
    if (!S_ISDIR(info.st_mode)) return Problem(field, path, "is not a directory", "");
    if (::access(path.c_str(), R_OK | X_OK) != 0) {
      Problem(field, path, std::strerror(errno), "the daemon's user must be able to list it");
    }
  }
  void Readable(const std::string& field, const std::string& path) {
    if (!path.empty() && ::access(path.c_str(), R_OK) != 0) {
      Problem(field, path, std::strerror(errno), "");
    }
  }
  // The nearest existing folder above must be writable.
  void Creatable(const std::string& field, const std::string& path) {
    std::string folder = path;
    while (::access(folder.c_str(), F_OK) != 0 && folder.size() > 1) folder = DirectoryName(folder);
    struct stat info {};
    const bool is_file = ::stat(folder.c_str(), &info) == 0 && !S_ISDIR(info.st_mode);
    if (::access(folder.c_str(), is_file ? W_OK : W_OK | X_OK) != 0) {
      Problem(field, path, fmt::format("cannot be written: {}: {}", folder, std::strerror(errno)),
              "couplingd makes it when its user may write there");
    }
  }
  // A program that is named with its folder; others are looked for when they are run.
  void Program(const std::string& field, const std::string& path) {
    if (path.find('/') != std::string::npos && ::access(path.c_str(), X_OK) != 0) {
      Problem(field, path, std::strerror(errno), "");
    }
  }
  void Secret(const std::string& field, const std::string& reference) {
    if (reference.empty()) return;
    const auto secret = ReadSecret(reference);
    if (!secret) {
      lines_.push_back(fmt::format("{}: {}", field, secret.error().Text()));
    } else if (secret->empty()) {
      lines_.push_back(fmt::format("{}: {} is empty", field, reference));
    }
  }
  void Say(std::string line) { lines_.push_back(std::move(line)); }
  std::vector<std::string> Take() { return std::move(lines_); }

 private:
  void Problem(const std::string& field, const std::string& path, std::string_view cause,
               const std::string& hint) {
    lines_.push_back(hint.empty() ? fmt::format("{}: {}: {}", field, path, cause)
                                  : fmt::format("{}: {}: {} ({})", field, path, cause, hint));
  }

  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> CheckEnvironment(const Config& config) {
  Checker checker;
  checker.Creatable("store.path", config.store.path);
  if (config.runs.empty()) checker.Say("runs: none, so nothing is watched");
  for (std::size_t i = 0; i < config.runs.size(); ++i) {
    const RunConfig& run = config.runs[i];
    const std::string field = fmt::format("runs[{}].", i);
    checker.Directory(field + "path", run.path, "the run begins when it appears");
    checker.Readable(field + "model_config", run.model_config);
    if (!run.tokenizer.empty()) checker.Directory(field + "tokenizer", run.tokenizer, "");
  }
  for (std::size_t i = 0; i < config.runs.size(); ++i) {
    const std::string field = fmt::format("runs[{}].packs", i);
    if (config.runs[i].packs.empty()) {
      checker.Say(
          field +
          ": none, so its checkpoints would be evaluated on nothing (couplingctl pack build "
          "makes packs)");
    }
    for (const std::string& pack : config.runs[i].packs) checker.Readable(field, pack);
  }
  if (config.executor.kind == "command") {
    checker.Program("executor.command", config.executor.command[0]);
  }
  for (std::size_t i = 0; i < config.sinks.size(); ++i) {
    const SinkConfig& sink = config.sinks[i];
    const std::string field = fmt::format("sinks[{}].", i);
    checker.Secret(field + "url_file", sink.url_file);
    checker.Secret(field + "secret_file", sink.secret_file);
    checker.Secret(field + "token_file", sink.token_file);
    checker.Secret(field + "proxy_file", sink.proxy_file);
    checker.Readable(field + "ca_file", sink.ca_file);
    if (!sink.command.empty()) checker.Program(field + "command", sink.command[0]);
    if (!sink.path.empty()) checker.Creatable(field + "path", sink.path);
  }
  checker.Secret("heartbeat.url_file", config.heartbeat.url_file);
  checker.Secret("heartbeat.proxy_file", config.heartbeat.proxy_file);
  checker.Readable("heartbeat.ca_file", config.heartbeat.ca_file);
  return checker.Take();
}

}  // namespace couplingd
