// couplingd-demo: the whole system on one laptop, in minutes.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "base/files.h"
#include "base/process.h"
#include "demo/show.h"

int main(int argc, char** argv) {
  using namespace couplingd;
  CLI::App flags(
      "Trains a ladder of tiny models on three mixes of text while couplingd watches, and shows "
      "what it finds");
  ShowOptions options;
  options.stage.directory = ".demo";
  flags.add_option("--directory", options.stage.directory, "Where everything is written")
      ->capture_default_str();
  flags.add_option("--seed", options.stage.seed, "Of the world, the models and the text")
      ->capture_default_str();
  std::vector<std::string> mixes;
  flags
      .add_option("--mixes", mixes,
                  "Mixes of text, of web, curated and mixed; all of them by default")
      ->delimiter(',');
  flags.add_option("--widths", options.stage.widths, "Widths of the ladder")
      ->delimiter(',')
      ->capture_default_str();
  flags.add_option("--trainers", options.trainers, "Trainings at once")->capture_default_str();
  flags.add_flag("--quiet", options.quiet, "No progress");
  CLI11_PARSE(flags, argc, argv);
  const auto run = [&]() -> Status {
    if (!mixes.empty()) options.stage.mixes.clear();
    for (const std::string& name : mixes) {
      const std::optional<Mix> mix = ParseMix(name);
      if (!mix) return Fail(ErrorKind::kUsage, "\"" + name + "\" is no mix", "web, curated, mixed");
      options.stage.mixes.push_back(*mix);
    }
    TRY(MakeDirectories(options.stage.directory, 0755));
    options.stage.directory = TRY(RealPath(options.stage.directory));
    options.programs = TRY(ExecutableDirectory());
    return Show(options);
  };
  const Status shown = run();
  if (shown) return 0;
  std::fprintf(stderr, "couplingd-demo: %s\n", shown.error().Text().c_str());
  return ExitCode(shown.error().kind);
}
