#include "demo/receiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <iterator>
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

Result<ReceivedAlert> ReadAlert(const JsonValue& json) {
  constexpr std::string_view kSource = "alert";
  const JsonValue* own = FindMember(json, "couplingd");
  const JsonValue* annotations = FindMember(json, "annotations");
  if (!own || !annotations) {
    return Fail(ErrorKind::kInvalidData, "an alert needs couplingd and annotations");
  }
  ReceivedAlert alert;
  alert.state = TRY(GetString(json, "status", kSource));
  alert.run = TRY(GetString(*own, "run", kSource));
  alert.kind = TRY(GetString(*own, "kind", kSource));
  alert.summary = TRY(GetString(*annotations, "summary", kSource));
  alert.description = TRY(GetString(*annotations, "description", kSource));
  if (const JsonValue* interventions = FindMember(*own, "interventions");
      interventions && interventions->IsArray()) {
    for (const JsonValue& intervention : interventions->GetArray()) {
      alert.actions.push_back(TRY(GetString(intervention, "action", kSource)));
    }
  }
  return alert;
}

Result<std::vector<ReceivedAlert>> ReadMessage(const std::string& body) {
  const JsonDocument json = TRY(ParseJson(body, "message"));
  const JsonValue* alerts = FindMember(json, "alerts");
  if (!alerts || !alerts->IsArray()) {
    return Fail(ErrorKind::kInvalidData, "a message needs alerts");
  }
  std::vector<ReceivedAlert> read;
  for (const JsonValue& alert : alerts->GetArray()) read.push_back(TRY(ReadAlert(alert)));
  return read;
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
      const Result<std::vector<ReceivedAlert>> alerts = ReadMessage(request.body());
      if (alerts) {
        const std::lock_guard lock(mutex_);
        std::ranges::copy(*alerts, std::back_inserter(received_));
      }
      http::response<http::string_body> response{
          alerts ? http::status::ok : http::status::bad_request, 11};
      response.body() = alerts ? "ok" : alerts.error().Text();
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
