// couplingd-probe: looks at checkpoints, lists GPUs, and evaluates in a process of its own.
#include <CLI/CLI.hpp>
#include <string>

#include "base/units.h"
#include "probes/worker/child.h"
#include "probes/worker/commands.h"

namespace couplingd {
namespace {

constexpr int kUsageStatus = 64;

void AddInspect(CLI::App& app, int& status) {
  auto* inspect =
      app.add_subcommand("inspect", "Say whether a checkpoint is complete, and what is in it");
  auto command = std::make_shared<InspectCommand>();
  auto limit = std::make_shared<std::string>();
  inspect->add_option("DIR", command->directory, "Directory of the checkpoint")->required();
  inspect->add_option("--layout", command->layout,
                      "trainer, step or model; by default from the name");
  inspect->add_option("--read-root", command->read_roots,
                      "Directory that links may lead into (repeatable)");
  inspect->add_option("--max-header", *limit,
                      "Largest safetensors header that is read, such as 64MiB");
  inspect->add_flag("--json", command->json, "Print JSON (the default)");
  inspect->callback([command, limit, &status] {
    if (!limit->empty()) {
      const auto bytes = ParseSize(*limit);
      if (!bytes) throw CLI::ValidationError("--max-header", bytes.error().Text());
      command->max_header_bytes = *bytes;
    }
    status = RunInspect(*command);
  });
}

void AddDevices(CLI::App& app, int& status) {
  auto* devices = app.add_subcommand("devices", "List the GPUs of this machine");
  auto json = std::make_shared<bool>(false);
  auto library = std::make_shared<std::string>("libnvidia-ml.so.1");
  devices->add_flag("--json", *json, "Print JSON");
  devices->add_option("--nvml", *library, "NVIDIA's management library");
  devices->callback([json, library, &status] { status = RunDevices(*json, *library); });
}

void AddEvaluate(CLI::App& app, int& status) {
  auto* evaluate =
      app.add_subcommand("evaluate", "Evaluate one checkpoint; frames on stdout, JSON lines");
  auto command = std::make_shared<EvaluateCommand>();
  evaluate->add_option("--request", command->request_file,
                       "File with the request; by default stdin");
  evaluate->add_option("--evaluator", command->evaluator, "The evaluator library");
  evaluate->add_option("--nvml", command->nvml, "NVIDIA's management library");
  evaluate->callback([command, &status] { status = RunEvaluate(*command); });
}

void AddServe(CLI::App& app, int& status) {
  auto* serve = app.add_subcommand(
      "serve",
      "Evaluate for requests on stdin, one a line, in a process that is kept between them");
  auto command = std::make_shared<EvaluateCommand>();
  serve->add_option("--evaluator", command->evaluator, "The evaluator library");
  serve->add_option("--nvml", command->nvml, "NVIDIA's management library");
  serve->callback([command, &status] { status = RunServe(*command); });
}

// What `evaluate` and `serve` start; not for people.
void AddEvaluateChild(CLI::App& app) {
  auto* child = app.add_subcommand("evaluate-child", "")->group("");
  auto evaluator = std::make_shared<std::string>();
  child->add_option("--evaluator", *evaluator)->required();
  child->callback([evaluator] { RunEvaluateChild(*evaluator); });
}

int Main(int argc, char** argv) {
  CLI::App app("Reads checkpoints and evaluates models for couplingd, apart from the daemon.",
               "couplingd-probe");
  app.require_subcommand(1);
  int status = 0;
  AddInspect(app, status);
  AddDevices(app, status);
  AddEvaluate(app, status);
  AddServe(app, status);
  AddEvaluateChild(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageStatus;
  }
  return status;
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) { return couplingd::Main(argc, argv); }
