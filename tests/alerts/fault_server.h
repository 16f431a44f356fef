// A receiver of webhooks on loopback that goes wrong in every way that a receiver can.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace couplingd::testing {

enum class Fault {
  kNone,            // 200
  kReset,           // RST before anything is read
  kHang,            // takes the message and answers nothing
  kTornAnswer,      // takes the message, begins to answer 200, and resets
  kSlow,            // takes the message and answers one byte a second
  kError,           // 500
  kTooMany,         // 429 with Retry-After: 1
  kBadCertificate,  // a certificate that nobody vouches for; without TLS as kReset
};
inline constexpr int kFaults = 8;

// PEM files. The good certificate is its own authority.
struct ServerCertificates {
  std::string good, good_key, bad, bad_key;
};
// Makes both in the folder with the openssl program; empty names where that is not there.
ServerCertificates MakeCertificates(const std::string& folder);

struct TakenMessage {
  std::string path, id, body;
  bool reached = false;  // it was taken, not refused with an error
};

// Called on the threads of the connections, several at once.
struct FaultServerHooks {
  std::function<Fault()> draw;  // for each connection
  // A message has been read; what is returned is given back when 200 was sent to its end.
  std::function<std::size_t(const TakenMessage&)> on_message;
  std::function<void(std::size_t)> on_acknowledged;
};

class FaultServer {
 public:
  // Speaks TLS where certificates are given.
  explicit FaultServer(FaultServerHooks hooks, ServerCertificates certificates = {});
  ~FaultServer();

  std::string Url(const std::string& path) const;  // "http[s]://127.0.0.1:PORT/path"
  // Connections are refused while it is true.
  void Refuse(bool refuse);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace couplingd::testing
