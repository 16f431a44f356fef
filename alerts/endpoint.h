// What the HTTP sinks share: the URL and its secrecy, where it may lead, one POST, and the reading
// of statuses. Internal to alerts/.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "alerts/sink.h"

namespace couplingd {

// Removes secrets from texts of the peer. Thread-safe.
class Redactor {
 public:
  // The URL's path, query and user parts that are long enough to matter are secrets too.
  explicit Redactor(const std::vector<Secret>& secrets);
  // Printable text of at most `most` characters (code points) from the peer's bytes, secrets
  // replaced.
  std::string Clean(std::string_view bytes, std::size_t most = 200) const;

 private:
  std::vector<std::string> needles_;  // longest first
};

// The forms in which the URL's user and password travel: a peer that repeats what it was sent shows
// them like that.
std::vector<Secret> TravellingForms(const UrlParts& url);

using Headers = std::vector<std::pair<std::string, std::string>>;

struct SendOptions {
  std::optional<std::chrono::milliseconds> timeout;  // of the exchange; otherwise the sink's
  std::size_t max_response_bytes = 64u << 10;
};

// Thread-safe.
class Endpoint {
 public:
  // The address that url_file holds.
  static Result<Endpoint> Make(const SinkConfig& config, const SinkServices& services,
                               const std::vector<Secret>& further_secrets);
  // An address; of the configuration only what says how to reach it.
  static Result<Endpoint> At(Secret url, const SinkConfig& config, const SinkServices& services,
                             const std::vector<Secret>& further_secrets);

  // The peer's answer, or the outcome where there was none.
  std::variant<HttpResponse, DeliveryOutcome> Post(const std::string& body, const Headers& headers,
                                                   std::stop_token stop) const;
  std::variant<HttpResponse, DeliveryOutcome> Send(const std::string& method,
                                                   const std::string& body, const Headers& headers,
                                                   std::stop_token stop,
                                                   const SendOptions& options = {}) const;

  // By status alone: 2xx is delivered; 408, 425, 429, 5xx and temporary redirects may work later;
  // others never will.
  DeliveryOutcome ByStatus(const HttpResponse& response) const;
  // The given result, with the response's status, cleaned body and Retry-After.
  DeliveryOutcome Outcome(DeliveryResult result, const HttpResponse& response) const;

 private:
  Endpoint(const SinkConfig& config, const SinkServices& services, Secret url, UrlParts parts,
           Secret proxy, Redactor redactor);
  Result<std::vector<std::string>> Addresses() const;

  SinkConfig config_;
  SinkServices services_;
  Secret url_;
  UrlParts parts_;
  Secret proxy_;  // empty: none
  Redactor redactor_;
};

// What follows from there being no answer.
DeliveryOutcome NoAnswer(const Error& error);

// Seconds or an HTTP date, within 1 s to 1 h; nullopt where the text is neither.
std::optional<std::chrono::milliseconds> ParseRetryAfter(const std::string& text, UnixMillis now);

}  // namespace couplingd
