// A small HTTP server on loopback that answers as a test says.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace couplingd::testing {

struct ServedRequest {
  std::string method, target, body;
  std::map<std::string, std::string> headers;  // names in lower case
};

struct ServedAnswer {
  int status = 200;
  std::string body;
  std::map<std::string, std::string> headers;
  enum class Fault { kNone, kHang, kReset, kGarbage } fault = Fault::kNone;
};

// What a server shows: PEM files, the certificate's with its chain. Empty: it speaks in the clear.
struct ServerIdentity {
  std::string certificate, key;
  bool only_tls_1_1 = false;
};

// One thread per connection; the handler may be called from several at once.
class LocalServer {
 public:
  using Handler = std::function<ServedAnswer(const ServedRequest&)>;
  explicit LocalServer(Handler handler, const ServerIdentity& identity = {});
  ~LocalServer();

  // "http://127.0.0.1:PORT/path"; with an identity "https://sink.test:PORT/path"
  std::string Url(const std::string& path) const;
  int Port() const;
  std::vector<ServedRequest> Requests() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace couplingd::testing
