// The daemon as an object: main() maps flags to options and runs it, tests run the same.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"

namespace couplingd {

struct AppOptions {
  std::string config_path;
  bool once = false;       // evaluate what is there, deliver, end
  std::string probe_path;  // couplingd-probe; empty: beside this program
};

class App {
 public:
  // Reads the configuration, takes the lock on the store, opens it.
  static Result<std::unique_ptr<App>> New(const AppOptions& options, const Clock& clock);
  virtual ~App() = default;

  // Until SIGTERM or SIGINT (drains: evaluations go back to the queue, alerts that are due are
  // delivered; a second signal ends at once), or in `once` mode until nothing is left to do. SIGHUP
  // reads the configuration again; where it is bad the old one stays, and the status says so.
  // Evaluations go on across a reload unless the new configuration asks for other ones.
  virtual Status Run() = 0;
};

}  // namespace couplingd
