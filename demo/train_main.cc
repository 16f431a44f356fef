// couplingd-demo-train: trains one tiny model on one mix of the demo's world and saves checkpoints
// on the way. One line "step N loss L" per saved checkpoint goes to stdout.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "demo/trainer.h"

int main(int argc, char** argv) {
  using namespace couplingd;
  TrainOptions options;
  std::string mix = "web";
  CLI::App flags("Trains one tiny model of the demo's ladder");
  flags.add_option("--mix", mix, "web, curated or mixed");
  flags.add_option("--width", options.width, "Hidden size");
  flags.add_option("--seed", options.seed, "Of world, model and text");
  flags.add_option("--steps", options.steps, "Training steps");
  flags.add_option("--save-at", options.save_at, "Steps to save at")->delimiter(',');
  flags.add_option("--out", options.out, "Directory of the run")->required();
  CLI11_PARSE(flags, argc, argv);
  const std::optional<Mix> parsed = ParseMix(mix);
  if (!parsed) {
    std::fprintf(stderr, "couplingd-demo-train: \"%s\" is no mix\n", mix.c_str());
    return 64;
  }
  options.mix = *parsed;
  const Status trained = Train(options, [](std::int64_t step, double loss) {
    std::printf("step %ld loss %.4f\n", static_cast<long>(step), loss);
    std::fflush(stdout);
  });
  if (trained) return 0;
  std::fprintf(stderr, "couplingd-demo-train: %s\n", trained.error().Text().c_str());
  return ExitCode(trained.error().kind);
}
