#include <fmt/format.h>

#include <map>

#include "base/files.h"
#include "config/tables.h"

namespace couplingd {
namespace {

constexpr std::size_t kLongestSocketPath = 107;  // sun_path without its closing zero

// Adds a problem for every value that stood in an earlier item.
template <typename T>
void CheckUnique(const std::vector<T>& items, std::string T::*member, std::string_view list,
                 std::string_view key, const Scope& scope) {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string& value = items[i].*member;
    const auto [first, is_new] = seen.emplace(value, i);
    if (is_new || value.empty()) continue;
    scope.problems.AddAt(
        fmt::format("{}[{}].{}", list, i, key),
        fmt::format("\"{}\" is already used by {}[{}]", value, list, first->second));
  }
}

// What a rule's filter names is a run or a family; a file that only holds rules names neither.
void CheckRuleRuns(const Config& config, const Scope& scope) {
  std::vector<std::string_view> names;
  for (const RunConfig& run : config.runs) {
    names.push_back(run.name);
    if (!run.family.empty()) names.push_back(run.family);
  }
  if (names.empty()) return;
  for (std::size_t i = 0; i < config.rules.size(); ++i) {
    for (const std::string& wanted : config.rules[i].runs) {
      if (std::ranges::find(names, wanted) != names.end()) continue;
      const auto nearest = Nearest(wanted, names);
      scope.problems.AddAt(fmt::format("rules[{}].runs", i),
                           fmt::format("no run or family is called \"{}\"", wanted),
                           nearest ? fmt::format("did you mean \"{}\"?", *nearest)
                                   : fmt::format("there are {}", fmt::join(names, ", ")));
    }
  }
}

void CheckRules(const Config& config, const Scope& scope) {
  std::vector<std::string_view> names;
  for (const AxisPair& axes : config.axes) names.push_back(axes.name);
  for (std::size_t i = 0; i < config.rules.size(); ++i) {
    const std::string& wanted = config.rules[i].axes;
    if (wanted.empty() || std::ranges::find(names, wanted) != names.end()) continue;
    const auto nearest = Nearest(wanted, names);
    scope.problems.AddAt(fmt::format("rules[{}].axes", i),
                         fmt::format("no axis pair is called \"{}\"", wanted),
                         nearest ? fmt::format("did you mean \"{}\"?", *nearest)
                                 : fmt::format("there are {}", fmt::join(names, ", ")));
  }
}

void CheckFallbacks(const Config& config, const Scope& scope) {
  std::vector<std::string_view> names;
  for (const SinkConfig& sink : config.sinks) names.push_back(sink.name);
  for (std::size_t i = 0; i < config.sinks.size(); ++i) {
    const SinkConfig& sink = config.sinks[i];
    const std::string field = fmt::format("sinks[{}].fallback", i);
    if (sink.fallback.empty()) continue;
    if (sink.fallback == sink.name) {
      scope.problems.AddAt(field, "a sink is no fallback of itself");
    } else if (std::ranges::find(names, sink.fallback) == names.end()) {
      const auto nearest = Nearest(sink.fallback, names);
      scope.problems.AddAt(field, fmt::format("no sink is called \"{}\"", sink.fallback),
                           nearest ? fmt::format("did you mean \"{}\"?", *nearest)
                                   : fmt::format("there are {}", fmt::join(names, ", ")));
    }
  }
}

// Nothing is ever written into a watched directory, so the state must not lie in one.
void CheckPaths(const Config& config, const Scope& scope) {
  for (std::size_t i = 0; i < config.runs.size(); ++i) {
    const std::string& path = config.runs[i].path;
    if (path.empty() || !IsWithin(config.store.path, path)) continue;
    scope.problems.AddAt(
        fmt::format("runs[{}].path", i),
        fmt::format("the state directory {} lies in this watched directory", config.store.path),
        "move store.path elsewhere");
  }
  if (config.SocketPath().size() > kLongestSocketPath) {
    scope.problems.AddAt(
        "server.socket",
        fmt::format("the socket's path {} is longer than the {} bytes that the system "
                    "allows",
                    config.SocketPath(), kLongestSocketPath),
        "set server.socket to a shorter path");
  }
}

void CheckWarmWorker(const Config& config, const Scope& scope) {
  if (!config.evaluation.warm_worker || config.executor.kind == "local") return;
  scope.problems.AddAt("evaluation.warm_worker", "a worker is kept by the executor kind local only",
                       "remove it, or write executor: {kind: local}");
}

}  // namespace

void CheckWhole(const Config& config, const Scope& scope) {
  CheckUnique(config.runs, &RunConfig::name, "runs", "name", scope);
  CheckUnique(config.runs, &RunConfig::path, "runs", "path", scope);
  CheckUnique(config.axes, &AxisPair::name, "axes", "name", scope);
  CheckUnique(config.rules, &RuleConfig::name, "rules", "name", scope);
  CheckUnique(config.sinks, &SinkConfig::name, "sinks", "name", scope);
  CheckRules(config, scope);
  CheckFallbacks(config, scope);
  CheckRuleRuns(config, scope);
  CheckPaths(config, scope);
  CheckWarmWorker(config, scope);
}

}  // namespace couplingd
