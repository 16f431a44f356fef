// Where alerts go. A sink sends one message and says what became of it; when to send, in which
// order and how often is decided in delivery.h.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/message.h"
#include "alerts/target.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "base/result.h"
#include "config/config.h"

namespace couplingd {

enum class DeliveryResult {
  kDelivered,  // acknowledged
  kRetry,      // may work later
  kPermanent,  // will never work as it is configured
  kCancelled,  // stopped by us; nothing is known, the same message will be sent again
};

struct DeliveryOutcome {
  DeliveryResult result = DeliveryResult::kRetry;
  // The peer's Retry-After, within 1 s to 1 h. It concerns everything sent to this sink.
  std::optional<std::chrono::milliseconds> retry_after;
  // What the peer answered or why there was no answer: printable, at most 200 characters of the
  // peer's, no secret.
  std::string text;
  // Kept with what was delivered and handed back with later news of the same alerts; no secret.
  std::string receipt;
};

// How often a sink may be called: `burst` at once, then `per_second`.
struct Pace {
  double per_second = 10;
  int burst = 20;
};

struct SinkTraits {
  Pace pace;
  int most_alerts = 1;  // of one message that is no digest
  bool takes_charts = false;
  // Where the peer forgets what it was told: Refresh is called so often.
  std::optional<std::chrono::milliseconds> refresh_every;
};

// Thread-safe. Send takes at most the sink's timeout plus what the system's resolver takes.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual const std::string& Name() const = 0;
  virtual SinkTraits Traits() const = 0;
  virtual DeliveryOutcome Send(const Notification& notification, std::stop_token stop) = 0;
  // Says again how the alerts stand that this sink has acknowledged: those that fire, and those
  // that were resolved in the last 15 minutes. Nothing is recorded of it.
  virtual DeliveryOutcome Refresh(const std::vector<Alert>&, std::stop_token) { return {}; }
};

// What sinks are made with; all outlive the sinks.
struct SinkServices {
  HttpClient& http;
  const Clock& clock;
  HostResolver resolve = SystemResolver();
};

// Secrets are read here, once. Errors name the sink and the file, never what it holds.
Result<std::unique_ptr<Sink>> MakeWebhookSink(const SinkConfig& config,
                                              const SinkServices& services);
Result<std::unique_ptr<Sink>> MakeSlackSink(const SinkConfig& config, const SinkServices& services);
Result<std::unique_ptr<Sink>> MakeSlackBotSink(const SinkConfig& config,
                                               const SinkServices& services);
Result<std::unique_ptr<Sink>> MakeAlertmanagerSink(const SinkConfig& config,
                                                   const SinkServices& services);
Result<std::unique_ptr<Sink>> MakeEmailSink(const SinkConfig& config, const SinkServices& services);
Result<std::unique_ptr<Sink>> MakeCommandSink(const SinkConfig& config,
                                              const SinkServices& services);
Result<std::unique_ptr<Sink>> MakeFileSink(const SinkConfig& config, const SinkServices& services);

// By the kind of each, from the table SinkKinds() lists. All that cannot be made are named in one
// error, one a line.
Result<std::vector<std::unique_ptr<Sink>>> MakeSinks(const std::vector<SinkConfig>& configs,
                                                     const SinkServices& services);
std::vector<std::string_view> SinkKinds();

}  // namespace couplingd
