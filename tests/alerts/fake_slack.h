// The far end of Slack's incoming webhooks and Web API, as strict as Slack: messages that break a
// limit are refused, more than one a second too, and whoever comes back before Retry-After is over
// is noticed.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/http_client.h"
#include "tests/alerts/slack_limits.h"

namespace couplingd::testing {

struct SlackPost {
  std::string channel, ts, thread_ts;
  bool broadcast = false;
  std::string body;        // as it was posted, or as it was last edited
  CheckedMessage checked;  // the same, read
  int edits = 0;
  UnixMillis at = 0;
};

struct SlackFile {
  std::string name, bytes, thread_ts, title;
};

// Thread-safe, but for the clock.
class FakeSlack final : public HttpClient {
 public:
  explicit FakeSlack(const Clock& clock) : clock_(clock) {}

  // Answers in place of Slack where it returns something: by the method's name, or "webhook" or
  // "upload".
  std::function<std::optional<HttpResponse>(const std::string& method)> intercept;

  Result<HttpResponse> Send(const HttpRequest& request) override;

  // An answer of the Web API with this error.
  static HttpResponse Error(const std::string& word, long status = 200);
  // 429 with Retry-After; nothing is taken until it is over.
  HttpResponse RateLimited(int seconds);

  std::vector<SlackPost> posts;      // in order
  std::vector<SlackFile> files;      // that were completed
  std::vector<std::string> calls;    // methods, in order
  std::vector<std::string> refused;  // why, of what broke a limit
  int too_early = 0;                 // calls before Retry-After was over
  int too_fast = 0;                  // messages less than a second after another

 private:
  HttpResponse Post(const HttpRequest& request, bool is_webhook);
  HttpResponse Update(const HttpRequest& request);
  HttpResponse Place(const HttpRequest& request);
  HttpResponse Complete(const HttpRequest& request);

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, SlackFile> uploads_;  // by id
  UnixMillis not_before_ = 0;
};

inline constexpr char kSlackToken[] = "xoxb-1234-SECRETTOKEN";

}  // namespace couplingd::testing
