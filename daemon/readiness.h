// When a directory that is being written may be read: decided from successive observations, never
// from one (specification of checkpoints, rule for the daemon). Pure; time comes in as an argument.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "daemon/scanner.h"

namespace couplingd {

// Not thread-safe.
class ReadinessTracker {
 public:
  explicit ReadinessTracker(std::chrono::milliseconds quiet) : quiet_(quiet) {}

  // Takes one observation. True once the fingerprint has stayed the same for the quiet period and
  // was not settled before: the caller then inspects the directory and calls Settle or Recheck.
  bool Observe(const Candidate& candidate, UnixMillis now);

  // The inspection gave a final answer for this fingerprint: not asked about again until it
  // changes.
  void Settle(const std::string& path, const std::string& fingerprint);

  // Not ready although quiet (a marker is missing): ask again after `delay`, or at the next change.
  void Recheck(const std::string& path, UnixMillis now, std::chrono::milliseconds delay);

  // The trainer says that it is complete: the quiet period is waived for what lies there now.
  void Waive(const std::string& path);

  // Forgets what is not in `present`; returns the forgotten paths.
  std::vector<std::string> Retain(const std::set<std::string>& present);

  // Paths that are neither settled nor gone: they are looked at every scan.
  std::set<std::string> Unsettled() const;

  // True where every path has been settled, or has been inspected and is waiting for a change.
  bool AllAsked() const;

 private:
  struct Seen {
    std::string fingerprint;
    UnixMillis unchanged_since = 0;
    UnixMillis not_before = 0;
    bool settled = false;
    bool waived = false;
  };

  std::chrono::milliseconds quiet_;
  std::map<std::string, Seen> seen_;
};

}  // namespace couplingd
