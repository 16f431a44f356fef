#include "tests/alerts/fault_server.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/files.h"
#include "base/process.h"

namespace couplingd::testing {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using tcp = asio::ip::tcp;

namespace {

constexpr int kPollMillis = 20;
// Below the ports that systems give to outgoing connections, so that nobody takes one while it is
// closed.
constexpr int kFirstPort = 12000, kLastPort = 32000;

ssl::context ContextOf(const std::string& certificate, const std::string& key) {
  ssl::context context(ssl::context::tls_server);
  context.use_certificate_chain_file(certificate);
  context.use_private_key_file(key, ssl::context::pem);
  return context;
}

}  // namespace

struct FaultServer::State {
  FaultServerHooks hooks;
  std::optional<ssl::context> good, bad;
  asio::io_context context;
  int port = 0;
  std::optional<tcp::acceptor> acceptor;  // of the accepting thread, but for the first one
  std::atomic<bool> stopping = false, refusing = false;
  std::mutex mutex;
  std::list<tcp::socket> sockets;   // guarded by mutex; one for each of `serving`
  std::list<std::jthread> serving;  // of the accepting thread
  std::jthread accepting;

  bool Listen(int at) {
    beast::error_code error;
    tcp::acceptor made(context);
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(at));
    made.open(endpoint.protocol(), error);
    if (!error) made.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) made.bind(endpoint, error);
    if (!error) made.listen(tcp::acceptor::max_listen_connections, error);
    if (error) return false;
    acceptor.emplace(std::move(made));
    return true;
  }

  static bool IsReadable(int file, int millis) {
    pollfd polled{file, POLLIN, 0};
    return ::poll(&polled, 1, millis) > 0;
  }

  void Accept() {
    while (!stopping) {
      if (refusing) {
        acceptor.reset();
        std::this_thread::sleep_for(std::chrono::milliseconds(kPollMillis));
        continue;
      }
      if (!acceptor && !Listen(port)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(kPollMillis));
        continue;
      }
      if (!IsReadable(acceptor->native_handle(), kPollMillis)) continue;
      beast::error_code error;
      tcp::socket socket = acceptor->accept(error);
      if (error) continue;
      const std::lock_guard lock(mutex);
      tcp::socket& kept = sockets.emplace_back(std::move(socket));
      serving.emplace_back([this, &kept] { Serve(kept); });
    }
  }

  void Reset(tcp::socket& socket) {
    const std::lock_guard lock(mutex);
    beast::error_code error;
    socket.set_option(asio::socket_base::linger(true, 0), error);
    socket.close(error);
  }

  void Serve(tcp::socket& socket) {
    const Fault fault = hooks.draw();
    const bool is_cut = fault == Fault::kReset || (fault == Fault::kBadCertificate && !bad);
    if (is_cut) return Reset(socket);
    if (!good) return Serve(socket, socket, fault);
    ssl::stream<tcp::socket&> stream(socket, fault == Fault::kBadCertificate ? *bad : *good);
    beast::error_code error;
    stream.handshake(ssl::stream_base::server, error);
    if (!error) Serve(socket, stream, fault);
    Finish(socket);
  }

  void Finish(tcp::socket& socket) {
    const std::lock_guard lock(mutex);
    beast::error_code error;
    socket.shutdown(tcp::socket::shutdown_both, error);
  }

  template <typename Stream>
  void Serve(tcp::socket& socket, Stream& stream, Fault fault) {
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    beast::error_code error;
    http::read(stream, buffer, request, error);
    if (error) return;
    const bool reached = fault != Fault::kError && fault != Fault::kTooMany;
    const std::size_t ticket =
        hooks.on_message({std::string(request.target()), std::string(request["webhook-id"]),
                          request.body(), reached});
    switch (fault) {
      case Fault::kHang:
        while (!stopping && !IsReadable(socket.native_handle(), kPollMillis)) continue;
        return Reset(socket);
      case Fault::kTornAnswer:
        asio::write(stream, asio::buffer(std::string("HTTP/1.1 200 OK\r\ncontent-le")), error);
        return Reset(socket);
      case Fault::kSlow:
        return Trickle(socket, stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      case Fault::kError:
        return Answer(stream, 500);
      case Fault::kTooMany:
        return Answer(stream, 429);
      default:
        Answer(stream, 200);
        hooks.on_acknowledged(ticket);
        return Finish(socket);
    }
  }

  template <typename Stream>
  void Answer(Stream& stream, unsigned status) {
    http::response<http::empty_body> response{static_cast<http::status>(status), 11};
    if (status == 429) response.set(http::field::retry_after, "1");
    response.keep_alive(false);
    response.prepare_payload();
    beast::error_code error;
    http::write(stream, response, error);
  }

  template <typename Stream>
  void Trickle(tcp::socket& socket, Stream& stream, const std::string& text) {
    for (const char& byte : text) {
      beast::error_code error;
      asio::write(stream, asio::buffer(&byte, 1), error);
      if (error) return;
      for (int waited = 0; waited < 1000 && !stopping; waited += kPollMillis) {
        if (IsReadable(socket.native_handle(), kPollMillis)) return;  // the sender has left
      }
      if (stopping) return;
    }
  }
};

FaultServer::FaultServer(FaultServerHooks hooks, ServerCertificates certificates)
    : state_(std::make_unique<State>()) {
  state_->hooks = std::move(hooks);
  if (!certificates.good.empty()) {
    state_->good.emplace(ContextOf(certificates.good, certificates.good_key));
    state_->bad.emplace(ContextOf(certificates.bad, certificates.bad_key));
  }
  static std::atomic<int> last = kFirstPort;
  while (!state_->acceptor) {
    int port = ++last;
    if (port >= kLastPort) port = last = kFirstPort;
    state_->port = port;
    state_->Listen(port);
  }
  state_->accepting = std::jthread([state = state_.get()] { state->Accept(); });
}

FaultServer::~FaultServer() {
  state_->stopping = true;
  state_->accepting.join();
  {
    const std::lock_guard lock(state_->mutex);
    for (tcp::socket& socket : state_->sockets) {
      if (socket.is_open()) ::shutdown(socket.native_handle(), SHUT_RDWR);
    }
  }
  state_->serving.clear();
}

std::string FaultServer::Url(const std::string& path) const {
  return fmt::format("{}://127.0.0.1:{}{}", state_->good ? "https" : "http", state_->port, path);
}

void FaultServer::Refuse(bool refuse) { state_->refusing = refuse; }

ServerCertificates MakeCertificates(const std::string& folder) {
  ServerCertificates made{folder + "/good.pem", folder + "/good.key", folder + "/bad.pem",
                          folder + "/bad.key"};
  const auto make = [](const std::string& certificate, const std::string& key) {
    ProcessOptions options;
    options.arguments = {"openssl",
                         "req",
                         "-x509",
                         "-newkey",
                         "ec",
                         "-pkeyopt",
                         "ec_paramgen_curve:P-256",
                         "-nodes",
                         "-days",
                         "2",
                         "-subj",
                         "/CN=fault server",
                         "-addext",
                         "subjectAltName=IP:127.0.0.1",
                         "-out",
                         certificate,
                         "-keyout",
                         key};
    options.environment = MinimalEnvironment();
    const auto output = RunProcess(options, "", std::chrono::seconds(30));
    return output && output->exit.ok();
  };
  const bool done = make(made.good, made.good_key) && make(made.bad, made.bad_key);
  return done ? made : ServerCertificates{};
}

}  // namespace couplingd::testing
