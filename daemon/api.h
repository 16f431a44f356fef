// What the HTTP requests to the daemon mean.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

#include "alerts/sink.h"
#include "base/clock.h"
#include "config/config.h"
#include "daemon/api_server.h"
#include "daemon/pipeline.h"
#include "history/store.h"

namespace couplingd {

struct ApiParts {
  boost::asio::io_context& io;
  const Clock& clock;
  const Config& config;
  HistoryWriter& history;
  Pipeline& pipeline;
  const std::vector<std::shared_ptr<Sink>>& sinks;
  std::function<bool()> ready;
};

// GET  /-/healthy, /-/ready, /metrics
// GET  /api/v1/VERB?…      the verbs of queries.h
// POST /api/v1/notify      {run, path, step, tokens, ended}
// POST /api/v1/retry       {checkpoint}
// POST /api/v1/import      as queries/import.h takes it
// POST /api/v1/alerts/VERB as queries/alert_changes.h takes it
// POST /api/v1/alerts/test {}: [{sink, outcome, text, milliseconds}]
// Reading happens on a thread of its own with a read-only connection; writing on the io_context's
// thread.
class Api {
 public:
  explicit Api(const ApiParts& parts);
  ~Api();
  void Handle(ApiRequest request, std::function<void(ApiResponse)> respond);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace couplingd
