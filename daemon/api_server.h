// The HTTP server of the daemon, over Boost.Beast: a Unix socket for couplingctl, and loopback TCP
// for metrics, health and reading. What a request means is the handler's business.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"

namespace couplingd {

struct ApiRequest {
  std::string method;  // GET or POST
  std::string path;    // decoded, without the query
  std::map<std::string, std::string> parameters;
  std::string body;
  bool local = false;  // came over the Unix socket
};

struct ApiResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
};

// {"error": {"kind", "message", "hint"}} with the status that fits the kind.
ApiResponse ErrorResponse(const Error& error);

// Called on the io_context's thread; `respond` may be called later, once, on that thread.
using ApiHandler = std::function<void(ApiRequest, std::function<void(ApiResponse)> respond)>;

// Bounds: 8 KiB of header, 1 MiB of body, 30 s for a whole request, 60 s for an answer, 256
// connections. POST is answered on the Unix socket only, which is 0660.
class ApiServer {
 public:
  virtual ~ApiServer() = default;
  virtual void Stop() = 0;       // no new connections; open ones are closed
  virtual int port() const = 0;  // of the TCP listener, 0 where there is none
};

// `listen` is "ADDRESS:PORT" or "none". A socket file left by a dead daemon is replaced; kConflict
// where something answers there or the address is in use.
Result<std::unique_ptr<ApiServer>> StartApiServer(boost::asio::io_context& io,
                                                  const std::string& socket_path,
                                                  const std::string& listen, ApiHandler handler);

}  // namespace couplingd
