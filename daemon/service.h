// Everything that lives as long as one configuration does: watchers, pipeline, delivery, API. A
// reload ends one service and starts the next on the same store.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/http_client.h"
#include "base/result.h"
#include "config/config.h"
#include "daemon/executor.h"
#include "history/store.h"

namespace couplingd {

struct ServiceParts {
  const Clock& clock;
  HistoryWriter& history;
  HttpClient& http;
  Executor& executor;  // evaluations outlive a reload
  bool once = false;
  std::string config_path;  // for reloading
};

enum class ServiceEnd { kStopped, kReloaded, kDone };

class Service {
 public:
  // Does everything that can fail: secrets, sockets, directories.
  static Result<std::unique_ptr<Service>> Start(const Config& config, const ServiceParts& parts);
  virtual ~Service() = default;
  // Handles signals and events until the end.
  virtual ServiceEnd Run() = 0;
  // After kReloaded: the configuration that the file holds now; it has been validated.
  virtual const Config& next_config() const = 0;
};

}  // namespace couplingd
