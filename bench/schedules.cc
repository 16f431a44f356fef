// Counts what becomes of random writers of every checkpoint layout (tests/daemon/writer_trials.h).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include "tests/daemon/writer_trials.h"

int main(int argc, char** argv) {
  int count = 1000;
  std::uint64_t seed = 1;
  std::string fixtures, work;
  CLI::App app{"Random schedules of writers, on a virtual clock"};
  app.add_option("--count", count, "Schedules of each layout")->check(CLI::Range(1, 1000000));
  app.add_option("--seed", seed, "Seed");
  app.add_option("--fixtures", fixtures, "tests/probes/checkpoint/data")->required();
  app.add_option("--work", work, "Folder to write in")->required();
  CLI11_PARSE(app, argc, argv);
  fmt::print("{:20} {:>9} {:>7} {:>9} {:>8} {:>9} {:>10} {:>8} {:>9}\n", "layout", "schedules",
             "killed", "rewritten", "deleted", "complete", "evaluated", "partial", "repeated");
  int wrong = 0;
  for (const couplingd::WriterLayout& layout : couplingd::WriterLayouts()) {
    const auto counts = couplingd::TryWriters(layout, fixtures, work, count, seed);
    if (!counts) {
      fmt::print("{:20} {}\n", layout.name, counts.error().Text());
      ++wrong;
      continue;
    }
    fmt::print("{:20} {:9} {:7} {:9} {:8} {:9} {:10} {:8} {:9}\n", layout.name, counts->schedules,
               counts->killed, counts->rewritten, counts->deleted, counts->complete,
               counts->evaluated, counts->partial, counts->repeated);
    std::fflush(stdout);
    wrong += counts->partial + counts->repeated + counts->complete - counts->evaluated;
  }
  return wrong == 0 ? 0 : 1;
}
