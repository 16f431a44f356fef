// Looks at one run's directory again and again, on a thread of its own: a network file system that
// hangs holds up this run only. inotify is a hint that makes it look at once; the periodic scan is
// the truth.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/result.h"
#include "config/config.h"
#include "daemon/scanner.h"

namespace couplingd {

class Watcher {
 public:
  virtual ~Watcher() = default;  // stops the thread, as soon as a scan under way returns
  // The result of the last scan has been dealt with: the next may begin. `always` is looked into
  // whatever its step.
  virtual void Continue(std::set<std::string> always) = 0;
  // Scan at once.
  virtual void Wake() = 0;
};

// `on_scan` is called on the watcher's thread, once per scan; the next scan waits for Continue().
// The bool says whether every candidate was looked into.
std::unique_ptr<Watcher> MakeWatcher(const RunConfig& run, const WatchConfig& watch,
                                     std::function<void(Result<ScanResult>, bool full)> on_scan);

}  // namespace couplingd
