#include "daemon/api_server.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/url.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>

#include "base/files.h"
#include "base/json.h"
#include "base/numbers.h"

namespace couplingd {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using LocalProtocol = asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::uint32_t kMaxHeader = 8u << 10;
constexpr std::uint64_t kMaxBody = 1u << 20;
constexpr std::size_t kMaxConnections = 256;
constexpr std::chrono::seconds kRequestDeadline{30};
constexpr std::chrono::seconds kAnswerDeadline{60};

Result<ApiRequest> Translate(const http::request<http::string_body>& message, bool local) {
  ApiRequest request;
  request.local = local;
  request.method = std::string(message.method_string());
  request.body = message.body();
  const auto target = boost::urls::parse_origin_form(
      boost::core::string_view(message.target().data(), message.target().size()));
  if (target.has_error()) return Fail(ErrorKind::kUsage, "the request's target is no URL path");
  request.path = target->path();
  for (const auto& parameter : target->params())
    request.parameters[parameter.key] = parameter.value;
  return request;
}

ApiResponse Refuse(int status, const std::string& message) {
  ApiResponse response = ErrorResponse(Error{ErrorKind::kUsage, message, ""});
  response.status = status;
  return response;
}

class Server final : public ApiServer, public std::enable_shared_from_this<Server> {
 public:
  Server(asio::io_context& io, ApiHandler handler)
      : io_(io), handler_(std::move(handler)), local_(io), tcp_(io) {}

  Status ListenLocal(const std::string& path) {
    error_code error;
    const LocalProtocol::endpoint endpoint(path);
    LocalProtocol::socket probe(io_);
    probe.connect(endpoint, error);
    if (!error) {
      return Fail(ErrorKind::kConflict, fmt::format("another daemon answers at {}", path));
    }
    ::unlink(path.c_str());
    const mode_t mask = ::umask(0117);
    local_.open(endpoint.protocol(), error);
    if (!error) local_.bind(endpoint, error);
    ::umask(mask);
    if (!error) local_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return Fail(ErrorKind::kUnavailable,
                  fmt::format("cannot listen at {}: {}", path, error.message()));
    }
    socket_path_ = path;
    asio::co_spawn(io_, Accept(shared_from_this(), local_, true), asio::detached);
    return {};
  }

  Status ListenTcp(const std::string& listen) {
    const std::size_t colon = listen.rfind(':');
    std::uint16_t port = 0;
    error_code error;
    asio::ip::address address;
    if (colon != std::string::npos) {
      std::string host = listen.substr(0, colon);
      if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
      address = asio::ip::make_address(host, error);
      const auto parsed = ParseNumber<std::uint16_t>(std::string_view(listen).substr(colon + 1));
      if (!parsed) error = asio::error::invalid_argument;
      port = parsed.value_or(0);
    }
    if (colon == std::string::npos || error) {
      return Fail(ErrorKind::kUsage, fmt::format("server.listen \"{}\" is no ADDRESS:PORT", listen),
                  "write 127.0.0.1:9464 or none");
    }
    const asio::ip::tcp::endpoint endpoint(address, port);
    tcp_.open(endpoint.protocol(), error);
    if (!error) tcp_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) tcp_.bind(endpoint, error);
    if (!error) tcp_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return Fail(ErrorKind::kConflict,
                  fmt::format("cannot listen at {}: {}", listen, error.message()),
                  "change server.listen, or \"none\" to do without metrics over TCP");
    }
    asio::co_spawn(io_, Accept(shared_from_this(), tcp_, false), asio::detached);
    return {};
  }

  void Stop() override {
    error_code ignored;
    local_.close(ignored);
    tcp_.close(ignored);
    for (const auto& close : std::set<std::function<void()>*>(open_)) (*close)();
    if (!socket_path_.empty()) ::unlink(socket_path_.c_str());
    socket_path_.clear();
  }

  int port() const override {
    error_code error;
    const auto endpoint = tcp_.local_endpoint(error);
    return error ? 0 : endpoint.port();
  }

 private:
  template <typename Acceptor>
  static asio::awaitable<void> Accept(std::shared_ptr<Server> self, Acceptor& acceptor,
                                      bool local) {
    while (acceptor.is_open()) {
      error_code error;
      auto socket =
          co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor)
        co_return;
      if (error) {  // out of descriptors, most likely: leave time for some to close
        asio::steady_timer pause(self->io_, std::chrono::milliseconds(100));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      if (self->open_.size() >= kMaxConnections) continue;
      asio::co_spawn(self->io_, Serve(self, std::move(socket), local), asio::detached);
    }
  }

  template <typename Socket>
  static asio::awaitable<void> Serve(std::shared_ptr<Server> self, Socket socket, bool local) {
    beast::basic_stream<typename Socket::protocol_type> stream(std::move(socket));
    std::function<void()> close = [&stream] { stream.cancel(); };
    self->open_.insert(&close);
    beast::flat_buffer buffer;
    error_code error;
    bool keep_alive = true;
    while (keep_alive) {
      http::request_parser<http::string_body> parser;
      parser.header_limit(kMaxHeader);
      parser.body_limit(kMaxBody);
      stream.expires_after(kRequestDeadline);
      co_await http::async_read(stream, buffer, parser,
                                asio::redirect_error(asio::use_awaitable, error));
      if (error == http::error::end_of_stream || error == beast::error::timeout) break;
      const bool too_large = error == http::error::body_limit || error == http::error::header_limit;
      if (error && !too_large &&
          error.category() != http::make_error_code(http::error::bad_method).category())
        break;
      stream.expires_after(kAnswerDeadline);
      ApiResponse answer;
      if (error) {
        answer = too_large ? Refuse(413, "the request is too large") : Refuse(400, error.message());
      } else {
        answer = co_await self->Ask(parser.get(), local);
      }
      keep_alive = !error && parser.get().keep_alive();
      http::response<http::string_body> response{static_cast<http::status>(answer.status), 11};
      response.set(http::field::content_type, answer.content_type);
      response.set("X-Content-Type-Options", "nosniff");
      response.keep_alive(keep_alive);
      response.body() = std::move(answer.body);
      response.prepare_payload();
      co_await http::async_write(stream, response,
                                 asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
    }
    self->open_.erase(&close);
    stream.socket().shutdown(asio::socket_base::shutdown_both, error);
  }

  asio::awaitable<ApiResponse> Ask(const http::request<http::string_body>& message, bool local) {
    Result<ApiRequest> request = Translate(message, local);
    if (!request) co_return ErrorResponse(request.error());
    if (request->method != "GET" && request->method != "POST") {
      co_return Refuse(405, "only GET and POST are answered");
    }
    if (request->method == "POST" && !local) {
      co_return Refuse(403, "changes are taken over the Unix socket only");
    }
    co_return co_await asio::async_initiate<decltype(asio::use_awaitable), void(ApiResponse)>(
        [this](auto token, ApiRequest asked) {
          auto shared = std::make_shared<decltype(token)>(std::move(token));
          handler_(std::move(asked),
                   [shared](ApiResponse response) { (*shared)(std::move(response)); });
        },
        asio::use_awaitable, *std::move(request));
  }

  asio::io_context& io_;
  const ApiHandler handler_;
  LocalProtocol::acceptor local_;
  asio::ip::tcp::acceptor tcp_;
  std::string socket_path_;
  std::set<std::function<void()>*> open_;
};

int HttpStatus(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
    case ErrorKind::kInvalidData:
    case ErrorKind::kUnsupported:
      return 400;
    case ErrorKind::kPermission:
      return 403;
    case ErrorKind::kNotFound:
    case ErrorKind::kVanished:
      return 404;
    case ErrorKind::kConflict:
      return 409;
    case ErrorKind::kUnavailable:
    case ErrorKind::kExhausted:
    case ErrorKind::kCancelled:
      return 503;
    case ErrorKind::kInternal:
      return 500;
  }
  return 500;
}

// Keeps the server alive for its coroutines while the owner holds a plain unique_ptr.
class OwnedServer final : public ApiServer {
 public:
  explicit OwnedServer(std::shared_ptr<Server> server) : server_(std::move(server)) {}
  ~OwnedServer() override { server_->Stop(); }
  void Stop() override { server_->Stop(); }
  int port() const override { return server_->port(); }

 private:
  std::shared_ptr<Server> server_;
};

}  // namespace

ApiResponse ErrorResponse(const Error& error) {
  JsonWriter json;
  json.BeginObject().Key("error").BeginObject();
  json.Field("kind", ToString(error.kind))
      .Field("message", error.message)
      .Field("hint", error.hint);
  json.EndObject().EndObject();
  return ApiResponse{HttpStatus(error.kind), json.Text()};
}

Result<std::unique_ptr<ApiServer>> StartApiServer(asio::io_context& io,
                                                  const std::string& socket_path,
                                                  const std::string& listen, ApiHandler handler) {
  auto server = std::make_shared<Server>(io, std::move(handler));
  TRY(server->ListenLocal(socket_path));
  if (listen != "none") TRY(server->ListenTcp(listen));
  return std::make_unique<OwnedServer>(std::move(server));
}

}  // namespace couplingd
