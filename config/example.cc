#include "config/example.h"

#include "config/notify_tables.h"
#include "config/tables.h"

namespace couplingd {
namespace {

constexpr std::string_view kHead =
    R"(# couplingd: every key with its default. Keys without a default are the name and path of a run, the names and kinds
# of axes, rules and sinks, and a sink's url_file. A file needs only what differs from this one.
#
# Durations: 250ms, 30s, 5m, 1h30m, 7d. Sizes: 512MiB, 8GiB. Counts: 70M, 1.4B, 2T. Relative paths start at this
# file's folder. Secrets never stand here: they are files of mode 0600, or credential:NAME for systemd's LoadCredential.
# Check with: couplingctl check-config FILE

)";

// Defaults everywhere, and one entry in each list.
Config ExampleValues() {
  Config config;
  config.runs = {{.name = "my-run-1b", .path = "/checkpoints/my-run-1b"}};
  config.axes = DefaultAxes();
  config.rules = DefaultRules();
  config.sinks = {{.name = "team-slack", .kind = "slack", .url_file = "/etc/couplingd/slack-url"}};
  config.inhibitions = DefaultInhibitions();
  return config;
}

}  // namespace

std::string ExampleConfigText() {
  ExampleText out;
  out.text = kHead;
  ShowObject(ConfigTable(), ExampleValues(), out);
  return out.text;
}

}  // namespace couplingd
