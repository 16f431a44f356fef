// One trial of delivery in this process, on a virtual clock and a disk that fails: alerts fire and
// end, silences come and go, sinks fail in every way, and the daemon is killed or its machine
// loses power at random moments. After each crash the rules find again what holds. In the end
// everything heals, and the outbox is emptied.
#pragma once

#include <cstdint>
#include <string>

#include "tests/alerts/delivery_figures.h"

namespace couplingd::testing {

struct TrialOptions {
  std::uint64_t seed = 1;
  std::string directory;  // made and removed
  // Controls, which have to show losses where there are any to show.
  bool normal_synchronous = false;  // the database does not sync each commit
  bool record_first = false;        // the outcome is recorded before the message is sent
};

Figures RunTrial(const TrialOptions& options);

// `count` trials with seeds from `options.seed` on, `at_once` at a time, each in a directory of its
// own below `options.directory`.
Figures RunTrials(const TrialOptions& options, int count, int at_once);

}  // namespace couplingd::testing
