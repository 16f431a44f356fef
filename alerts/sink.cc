#include "alerts/sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace couplingd {
namespace {

struct SinkKind {
  std::string_view name;
  Result<std::unique_ptr<Sink>> (*make)(const SinkConfig&, const SinkServices&);
};

constexpr SinkKind kSinkKinds[] = {
    {"webhook", MakeWebhookSink},    {"slack", MakeSlackSink},
    {"slack_bot", MakeSlackBotSink}, {"alertmanager", MakeAlertmanagerSink},
    {"email", MakeEmailSink},        {"command", MakeCommandSink},
    {"file", MakeFileSink},
};

Result<std::unique_ptr<Sink>> MakeSink(const SinkConfig& config, const SinkServices& services) {
  const auto kind = std::ranges::find(kSinkKinds, config.kind, &SinkKind::name);
  if (kind == std::end(kSinkKinds)) {
    return Fail(ErrorKind::kInvalidData, fmt::format("there is no kind \"{}\"", config.kind),
                fmt::format("kinds are {}", fmt::join(SinkKinds(), ", ")));
  }
  return kind->make(config, services);
}

}  // namespace

Result<std::vector<std::unique_ptr<Sink>>> MakeSinks(const std::vector<SinkConfig>& configs,
                                                     const SinkServices& services) {
  std::vector<std::unique_ptr<Sink>> sinks;
  std::vector<std::string> problems;
  for (const SinkConfig& config : configs) {
    Result<std::unique_ptr<Sink>> sink = MakeSink(config, services);
    if (sink) {
      sinks.push_back(std::move(*sink));
    } else {
      problems.push_back(fmt::format("sink \"{}\": {}", config.name, sink.error().Text()));
    }
  }
  if (!problems.empty()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}", fmt::join(problems, "\n")));
  }
  return sinks;
}

std::vector<std::string_view> SinkKinds() {
  std::vector<std::string_view> names;
  for (const SinkKind& kind : kSinkKinds) names.push_back(kind.name);
  return names;
}

}  // namespace couplingd
