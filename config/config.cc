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

struct NamedText {
  std::string path, text;
};

Result<NamedText> ReadConfigFile(const std::string& path) {
  std::error_code ignored;
  NamedText file{.path = std::filesystem::absolute(path, ignored).lexically_normal().string()};
  file.text = TRY(ReadFile(file.path, kMaxFileBytes));
  return file;
}

// A list that the file has is not added to one that was there.
void ClearGivenLists(const YAML::Node& root, Config& config) {
  if (!root.IsMap()) return;
  if (root["runs"]) config.runs.clear();
  if (root["packs"]) config.packs.clear();
  if (root["axes"]) config.axes.clear();
  if (root["rules"]) config.rules.clear();
  if (root["sinks"]) config.sinks.clear();
  if (root["inhibitions"]) config.inhibitions.clear();
}

Result<Config> ParseOver(Config config, const std::string& yaml, const std::string& source) {
  TRY(CheckText(yaml, source));
  Problems problems(source);
  AuditYaml(yaml, problems);
  TRY(problems.ToStatus());
  std::error_code ignored;
  const std::string folder =
      std::filesystem::absolute(DirectoryName(source), ignored).lexically_normal().string();
  const Scope scope{problems, "", folder, 0};
  config.source = source;
  try {
    const YAML::Node root = YAML::Load(yaml);
    ClearGivenLists(root, config);
    ReadObject(root, ConfigTable(), config, scope);
  } catch (const YAML::Exception& error) {
    problems.Add(error.mark.line + 1, "", "not valid YAML: " + error.msg);
  }
  FillDefaults(config, folder);
  CheckWhole(config, scope);
  TRY(problems.ToStatus());
  return config;
}

}  // namespace

std::string Config::SocketPath() const {
  return server.socket.empty() ? JoinPath(store.path, "couplingd.sock") : server.socket;
}

std::string Config::DatabasePath() const { return JoinPath(store.path, "history.db"); }

Result<Config> LoadConfig(const std::string& path) {
  const NamedText file = TRY(ReadConfigFile(path));
  return ParseConfig(file.text, file.path);
}

Result<Config> LoadConfigOver(const Config& base, const std::string& path) {
  const NamedText file = TRY(ReadConfigFile(path));
  return ParseOver(base, file.text, file.path);
}

Result<Config> ParseConfig(const std::string& yaml, const std::string& source) {
  return ParseOver(Config(), yaml, source);
}

}  // namespace couplingd
