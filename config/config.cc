#include "config/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "config/audit.h"
#include "config/notify_tables.h"
#include "config/tables.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxFileBytes = 1u << 20;

// A pack that is written as a path, and not as a bare name.
bool IsPackPath(const std::string& pack) {
  return pack.find('/') != std::string::npos || pack.ends_with(".json") || pack.ends_with(".jsonl");
}

void ResolvePacks(std::vector<std::string>& packs, const std::string& folder,
                  const std::string& store) {
  for (std::string& pack : packs) {
    pack = IsPackPath(pack) ? ResolvePath(pack, folder) : JoinPath(JoinPath(store, "packs"), pack);
  }
}

void FillDefaults(Config& config, const std::string& folder) {
  ResolvePacks(config.packs, folder, config.store.path);
  for (RunConfig& run : config.runs) {
    if (run.family.empty()) run.family = run.name;
    ResolvePacks(run.packs, folder, config.store.path);
    if (run.packs.empty()) run.packs = config.packs;
  }
  if (config.axes.empty()) config.axes = DefaultAxes();
  if (config.rules.empty()) config.rules = DefaultRules();
  if (config.inhibitions.empty()) config.inhibitions = DefaultInhibitions();
}

Status CheckText(const std::string& yaml, const std::string& source) {
  if (yaml.size() > kMaxFileBytes) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: {} bytes, a configuration has at most {}",
                                                     source, yaml.size(), kMaxFileBytes));
  }
  if (yaml.find('\0') != std::string::npos || ToValidUtf8(yaml) != yaml) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: not UTF-8 text", source),
                "save the file as UTF-8");
  }
  return {};
}

}  // namespace

std::string Config::SocketPath() const {
  return server.socket.empty() ? JoinPath(store.path, "couplingd.sock") : server.socket;
}

std::string Config::DatabasePath() const { return JoinPath(store.path, "history.db"); }

Result<Config> LoadConfig(const std::string& path) {
  std::error_code ignored;
  const std::string absolute = std::filesystem::absolute(path, ignored).lexically_normal().string();
  const std::string text = TRY(ReadFile(absolute, kMaxFileBytes));
  return ParseConfig(text, absolute);
}

Result<Config> ParseConfig(const std::string& yaml, const std::string& source) {
  TRY(CheckText(yaml, source));
  Problems problems(source);
  AuditYaml(yaml, problems);
  TRY(problems.ToStatus());
  std::error_code ignored;
  const std::string folder =
      std::filesystem::absolute(DirectoryName(source), ignored).lexically_normal().string();
  const Scope scope{problems, "", folder, 0};
  Config config;
  config.source = source;
  try {
    const YAML::Node root = YAML::Load(yaml);
    ReadObject(root, ConfigTable(), config, scope);
  } catch (const YAML::Exception& error) {
    problems.Add(error.mark.line + 1, "", "not valid YAML: " + error.msg);
  }
  FillDefaults(config, folder);
  CheckWhole(config, scope);
  TRY(problems.ToStatus());
  return config;
}

}  // namespace couplingd
