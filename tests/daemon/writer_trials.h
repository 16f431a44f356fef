// Trials of readiness: writers that pause, die, start again, rewrite, rename and delete at random,
// on a virtual clock and with real files, against the scanner, the readiness tracker and the
// readers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace couplingd {

// How a framework lays its files down.
struct WriterLayout {
  std::string name;
  std::string fixture;  // directory with one whole checkpoint, below tests/probes/checkpoint/data
  std::string checkpoint;  // what it is called in the run's directory
  // Files by stage: those of one stage are written side by side, by different ranks; a stage begins
  // when the one before is done. A name that ends in '*' stands for all files that begin so; "" for
  // all that no other stage names.
  std::vector<std::vector<std::string>> stages;
  bool renamed = false;  // written as NAME-tmp
  // The marker is written anew by every save, so that a rewrite that stops half way shows.
  bool rewrite_shows = true;
};

std::vector<WriterLayout> WriterLayouts();

struct WriterCounts {
  int schedules = 0;
  int complete = 0;   // states of a checkpoint that were whole and stayed so
  int evaluated = 0;  // of those
  int partial = 0;    // evaluations of weights that no save had written
  int repeated = 0;   // evaluations of what had been evaluated
  int killed = 0, rewritten = 0, deleted = 0;  // what happened to the writers
};

// `count` schedules of one layout, in `directory`; `fixtures` is tests/probes/checkpoint/data.
Result<WriterCounts> TryWriters(const WriterLayout& layout, const std::string& fixtures,
                                const std::string& directory, int count, std::uint64_t seed);

}  // namespace couplingd
