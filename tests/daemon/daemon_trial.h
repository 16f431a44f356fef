// One trial of delivery with the real couplingd and couplingd-probe: checkpoints that cannot be
// used appear, training goes back to earlier steps, three sinks (one over TLS) fail in every way,
// and the daemon is killed at random moments. Then nothing fails any more until all is delivered.
#pragma once

#include <cstdint>
#include <string>

#include "tests/alerts/delivery_figures.h"
#include "tests/alerts/fault_server.h"

namespace couplingd::testing {

struct DaemonTrialOptions {
  std::uint64_t seed = 1;
  std::string directory;            // made and removed
  std::string programs;             // where couplingd lies
  ServerCertificates certificates;  // empty names: the third sink speaks in the clear, too
};

Figures RunDaemonTrial(const DaemonTrialOptions& options);

// As RunTrials.
Figures RunDaemonTrials(const DaemonTrialOptions& options, int count, int at_once);

}  // namespace couplingd::testing
