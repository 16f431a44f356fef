// couplingd: flags and logging, nothing else.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "base/clock.h"
#include "daemon/app.h"

int main(int argc, char** argv) {
  using namespace couplingd;
  CLI::App flags(
      "couplingd watches checkpoint directories, evaluates what is saved there, and tells how "
      "capabilities couple");
  AppOptions options;
  options.config_path = "/etc/couplingd/couplingd.yaml";
  flags.add_option("config", options.config_path, "Configuration file")->capture_default_str();
  flags.add_flag("--once", options.once, "Evaluate what is there, deliver alerts, and exit");
  flags.add_option("--probe", options.probe_path,
                   "couplingd-probe to use instead of the one beside this program");
  flags.set_version_flag("--version", "couplingd " COUPLINGD_VERSION);
  try {
    flags.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? flags.exit(error) : (flags.exit(error), 64);
  }
  spdlog::set_default_logger(spdlog::stderr_color_mt("couplingd"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");

  const SystemClock clock;
  Result<std::unique_ptr<App>> app = App::New(options, clock);
  const Status ended = app ? (*app)->Run() : std::unexpected(app.error());
  if (ended) return 0;
  std::fprintf(stderr, "couplingd: %s\n", ended.error().Text().c_str());
  return ExitCode(ended.error().kind);
}
