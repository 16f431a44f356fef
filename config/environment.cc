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
    if (::access(folder.c_str(), W_OK | X_OK) != 0) {
      Problem(field, path, fmt::format("cannot be written: {}: {}", folder, std::strerror(errno)),
              "couplingd makes it when its user may write there");
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
  if (config.executor.kind == "command" &&
      config.executor.command[0].find('/') != std::string::npos &&
      ::access(config.executor.command[0].c_str(), X_OK) != 0) {
    checker.Say(
        fmt::format("executor.command: {}: {}", config.executor.command[0], std::strerror(errno)));
  }
  for (std::size_t i = 0; i < config.sinks.size(); ++i) {
    checker.Secret(fmt::format("sinks[{}].url_file", i), config.sinks[i].url_file);
    checker.Secret(fmt::format("sinks[{}].secret_file", i), config.sinks[i].secret_file);
    checker.Secret(fmt::format("sinks[{}].token_file", i), config.sinks[i].token_file);
    checker.Readable(fmt::format("sinks[{}].ca_file", i), config.sinks[i].ca_file);
  }
  return checker.Take();
}

}  // namespace couplingd
