// Slack's Web API, as far as a bot needs it to tell of alerts. Internal to alerts/.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alerts/endpoint.h"

namespace couplingd {

struct SlackAnswer {
  DeliveryOutcome outcome;                   // delivered only where Slack says "ok": true
  std::string error;                         // Slack's word, where there is one
  std::map<std::string, std::string> texts;  // the answer's own members that are texts

  // One of them; empty if there is none.
  std::string Text(const std::string& name) const;
};

// Until when all calls of one message have to be over.
struct SlackDeadline {
  std::chrono::steady_clock::time_point at;
  std::stop_token stop;
};

// Thread-safe.
class SlackApi {
 public:
  // At https://slack.com/api/, or at the address in url_file.
  static Result<SlackApi> Make(const SinkConfig& config, const SinkServices& services);

  // A call with JSON arguments, or with form arguments for the methods that know no JSON.
  SlackAnswer Call(const std::string& method, const std::string& json,
                   const SlackDeadline& deadline) const;
  using Form = std::vector<std::pair<std::string, std::string>>;
  SlackAnswer CallForm(const std::string& method, const Form& form,
                       const SlackDeadline& deadline) const;
  // Sends a file's bytes to the address that Slack gave for them. It may lead only where a
  // configured address may.
  DeliveryOutcome Upload(const std::string& url, const std::string& bytes,
                         const SlackDeadline& deadline) const;

 private:
  SlackApi(const SinkConfig& config, const SinkServices& services, Secret base, Secret token);
  SlackAnswer Ask(const std::string& method, const std::string& body, const std::string& type,
                  const SlackDeadline& deadline) const;
  SlackAnswer Read(const std::string& method, const Endpoint& endpoint,
                   const HttpResponse& response) const;
  SendOptions OptionsFor(const SlackDeadline& deadline) const;

  SinkConfig config_;
  SinkServices services_;
  Secret base_;
  Secret token_;
  Redactor redactor_;
};

}  // namespace couplingd
