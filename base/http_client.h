// Outgoing HTTP, over libcurl. TLS 1.2 or newer with the certificate and host name verified; no
// redirects; only http, https and Unix sockets; responses are cut at a limit, never buffered
// without one.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace couplingd {

struct HttpRequest {
  std::string method = "GET";
  Secret url;               // a webhook's URL is a credential
  std::string unix_socket;  // where set, the connection goes to this socket and the URL's host is a
                            // name only
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::milliseconds timeout{15000};  // whole exchange
  std::size_t max_response_bytes = 64u << 10;
  std::string ca_file;  // empty: the system's
  std::vector<std::string>
      addresses;  // where set, the only IP addresses that the URL's host leads to
  Secret proxy;   // http://… or https://…: asked to connect; empty: directly, whatever the
                  // environment says
  std::stop_token stop;  // once requested, the exchange ends within about a second with kCancelled
};

struct HttpResponse {
  long status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;                                          // the first max_response_bytes of it
  bool truncated = false;

  const std::string* Header(std::string_view lower_case_name) const;
};

// Thread-safe. Any answer of the peer is a response, whatever its status; an Error (kUnavailable)
// means that there was none. Error texts never contain the URL.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  virtual Result<HttpResponse> Send(const HttpRequest& request) = 0;
};

std::unique_ptr<HttpClient> MakeCurlHttpClient();

// A URL as the client itself understands it: "http://0x7f.1/" has the host "127.0.0.1". An IPv6
// host has no brackets.
struct UrlParts {
  std::string scheme;
  std::string host;
  int port = 0;                     // the scheme's own where the URL has none
  Secret user = {}, password = {};  // decoded; empty where the URL has none
};

// The error text never contains the URL.
Result<UrlParts> ParseUrl(const Secret& url);

}  // namespace couplingd
