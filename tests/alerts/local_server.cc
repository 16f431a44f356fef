#include "tests/alerts/local_server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <mutex>
#include <optional>
#include <thread>

namespace couplingd::testing {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using tcp = asio::ip::tcp;

ssl::context TlsContext(const ServerIdentity& identity) {
  ssl::context context(ssl::context::tls_server);
  // What a bad server shows must be shown, whatever this machine's policy says.
  SSL_CTX_set_security_level(context.native_handle(), 0);
  if (identity.only_tls_1_1) {
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(context.native_handle(), TLS1_1_VERSION);
  }
  context.use_certificate_chain_file(identity.certificate);
  context.use_private_key_file(identity.key, ssl::context::pem);
  return context;
}

struct LocalServer::State {
  asio::io_context context;
  tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), 0}};
  Handler handler;
  mutable std::mutex mutex;
  std::vector<ServedRequest> requests;
  std::jthread accepting;
  // Only the accepting thread adds to them; the destructor reads them after it has ended.
  std::vector<std::jthread> serving;
  std::vector<std::shared_ptr<tcp::socket>> sockets;
  std::atomic<bool> stopping = false;

  std::optional<ssl::context> tls;

  void Serve(tcp::socket& socket) {
    if (!tls) return Serve(socket, socket);
    ssl::stream<tcp::socket&> stream(socket, *tls);
    beast::error_code error;
    stream.handshake(ssl::stream_base::server, error);
    if (!error) Serve(socket, stream);
  }

  template <typename Stream>
  void Serve(tcp::socket& socket, Stream& stream) {
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    beast::error_code error;
    http::read(stream, buffer, request, error);
    if (error) return;
    ServedRequest served{
        std::string(request.method_string()), std::string(request.target()), request.body(), {}};
    for (const auto& field : request) {
      std::string name(field.name_string());
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
      served.headers[name] = std::string(field.value());
    }
    {
      const std::lock_guard lock(mutex);
      requests.push_back(served);
    }
    Answer(socket, stream, handler(served));
  }

  template <typename Stream>
  void Answer(tcp::socket& socket, Stream& stream, const ServedAnswer& answer) {
    beast::error_code error;
    switch (answer.fault) {
      case ServedAnswer::Fault::kHang: {
        char byte;
        socket.read_some(asio::buffer(&byte, 1), error);  // until the client leaves
        return;
      }
      case ServedAnswer::Fault::kReset:
        socket.set_option(asio::socket_base::linger(true, 0), error);
        {
          const std::lock_guard lock(mutex);
          socket.close(error);
        }
        return;
      case ServedAnswer::Fault::kGarbage:
        asio::write(stream, asio::buffer(std::string("\x16\x03\x01 not http\r\n\r\n")), error);
        break;
      case ServedAnswer::Fault::kNone: {
        http::response<http::string_body> response{static_cast<http::status>(answer.status), 11};
        for (const auto& [name, value] : answer.headers) response.set(name, value);
        response.body() = answer.body;
        response.prepare_payload();
        response.keep_alive(false);
        http::write(stream, response, error);
      }
    }
    socket.shutdown(tcp::socket::shutdown_both, error);
  }
};

LocalServer::LocalServer(Handler handler, const ServerIdentity& identity)
    : state_(std::make_shared<State>()) {
  state_->handler = std::move(handler);
  if (!identity.certificate.empty()) state_->tls = TlsContext(identity);
  state_->accepting = std::jthread([state = state_.get()] {
    while (!state->stopping) {
      auto socket = std::make_shared<tcp::socket>(state->context);
      beast::error_code error;
      state->acceptor.accept(*socket, error);
      if (error || state->stopping) continue;
      state->sockets.push_back(socket);
      state->serving.emplace_back([state, socket] { state->Serve(*socket); });
    }
  });
}

LocalServer::~LocalServer() {
  state_->stopping = true;
  {
    asio::io_context context;
    tcp::socket last(context);
    beast::error_code error;
    last.connect(state_->acceptor.local_endpoint(), error);
  }
  state_->accepting.join();
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& socket : state_->sockets) ::shutdown(socket->native_handle(), SHUT_RDWR);
  }
  state_->serving.clear();
}

std::string LocalServer::Url(const std::string& path) const {
  return (state_->tls ? "https://sink.test:" : "http://127.0.0.1:") + std::to_string(Port()) + path;
}

int LocalServer::Port() const { return state_->acceptor.local_endpoint().port(); }

std::vector<ServedRequest> LocalServer::Requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->requests;
}

}  // namespace couplingd::testing
