#include "demo/receiver.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <mutex>
#include <thread>
#include <utility>

#include "base/json.h"

namespace couplingd {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

Result<ReceivedAlert> ParseAlert(const std::string& body) {
  constexpr std::string_view kSource = "alert";
  const JsonDocument json = TRY(ParseJson(body, kSource));
  ReceivedAlert alert;
  alert.state = TRY(GetString(json, "state", kSource));
  alert.run = TRY(GetString(json, "run", kSource));
  alert.kind = TRY(GetString(json, "kind", kSource));
  alert.summary = TRY(GetString(json, "summary", kSource));
  alert.description = TRY(GetString(json, "description", kSource));
  if (const JsonValue* interventions = FindMember(json, "interventions");
      interventions && interventions->IsArray()) {
    for (const JsonValue& intervention : interventions->GetArray()) {
      alert.actions.push_back(TRY(GetString(intervention, "action", kSource)));
    }
  }
  return alert;
}

class LoopbackReceiver final : public Receiver {
 public:
  LoopbackReceiver() : acceptor_(io_) {}

  ~LoopbackReceiver() override {
    stopping_ = true;
    error_code ignored;
    Tcp::socket knock(io_);  // wakes the accepting thread
    knock.connect(acceptor_.local_endpoint(ignored), ignored);
  }

  Status Listen() {
    error_code error;
    const Tcp::endpoint endpoint(asio::ip::address_v4::loopback(), 0);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(16, error);
    if (error)
      return Fail(ErrorKind::kUnavailable, "cannot listen on loopback: " + error.message());
    thread_ = std::jthread([this] { Serve(); });
    return {};
  }

  std::string Url() const override {
    return fmt::format("http://127.0.0.1:{}/alerts", acceptor_.local_endpoint().port());
  }

  std::vector<ReceivedAlert> Take() override {
    const std::lock_guard lock(mutex_);
    return std::exchange(received_, {});
  }

 private:
  void Serve() {
    while (!stopping_) {
      error_code error;
      Tcp::socket socket = acceptor_.accept(error);
      boost::beast::flat_buffer buffer;
      http::request<http::string_body> request;
      if (!error && !stopping_) http::read(socket, buffer, request, error);
      if (error || stopping_) continue;
      const Result<ReceivedAlert> alert = ParseAlert(request.body());
      if (alert) {
        const std::lock_guard lock(mutex_);
        received_.push_back(*alert);
      }
      http::response<http::string_body> response{
          alert ? http::status::ok : http::status::bad_request, 11};
      response.body() = alert ? "ok" : alert.error().Text();
      response.prepare_payload();
      http::write(socket, response, error);
    }
  }

  asio::io_context io_;
  Tcp::acceptor acceptor_;
  std::mutex mutex_;
  std::vector<ReceivedAlert> received_;  // guarded by mutex_
  std::atomic<bool> stopping_ = false;
  std::jthread thread_;
};

}  // namespace

Result<std::unique_ptr<Receiver>> Receiver::Start() {
  auto receiver = std::make_unique<LoopbackReceiver>();
  TRY(receiver->Listen());
  return receiver;
}

}  // namespace couplingd
