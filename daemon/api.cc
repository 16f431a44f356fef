#include "daemon/api.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>

#include "alerts/delivery.h"
#include "base/json.h"
#include "daemon/metrics.h"
#include "queries/alert_changes.h"
#include "queries/import.h"
#include "queries/loss_record.h"
#include "queries/queries.h"

namespace couplingd {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kApiPrefix = "/api/v1/";
constexpr std::string_view kAlertsPrefix = "alerts/";
constexpr std::string_view kBody = "request body";
constexpr std::chrono::seconds kLocalQueryLimit{30}, kRemoteQueryLimit{2};

using Respond = std::function<void(ApiResponse)>;

ApiResponse JsonOrError(Result<std::string> text) {
  return text ? ApiResponse{200, *std::move(text)} : ErrorResponse(text.error());
}

Result<std::string> TakeNotice(Pipeline& pipeline, const JsonValue& body) {
  Notice notice;
  notice.run = TRY(GetString(body, "run", kBody));
  notice.path = TRY(FindString(body, "path", kBody)).value_or("");
  notice.step = TRY(FindInt(body, "step", kBody));
  notice.tokens = TRY(FindDouble(body, "tokens", kBody));
  notice.ended = TRY(FindBool(body, "ended", kBody)).value_or(false);
  if (notice.path.empty() && !notice.ended) {
    return Fail(ErrorKind::kUsage,
                "a notice names a checkpoint's path, or says that the run ended");
  }
  TRY(pipeline.Take(notice));
  return "{}";
}

std::string TestAnswersJson(const std::vector<TestAnswer>& answers) {
  JsonWriter json;
  json.BeginArray();
  for (const TestAnswer& answer : answers) {
    json.BeginObject().Field("sink", answer.sink);
    json.Field("delivered", answer.outcome.result == DeliveryResult::kDelivered);
    json.Field("text", answer.outcome.text);
    json.Field("milliseconds", static_cast<std::int64_t>(answer.took.count())).EndObject();
  }
  return json.EndArray().Text();
}

}  // namespace

class Api::Impl {
 public:
  explicit Impl(const ApiParts& parts)
      : parts_(parts), started_at_(parts.clock.Now()), readers_(1), senders_(1) {}

  ~Impl() {
    readers_.join();
    senders_.join();
  }

  void Handle(ApiRequest request, Respond respond) {
    if (request.path == "/-/healthy") return respond({200, "ok\n", "text/plain"});
    if (request.path == "/-/ready") {
      const bool ready = parts_.ready();
      return respond({ready ? 200 : 503, ready ? "ready\n" : "not ready\n", "text/plain"});
    }
    if (request.path == "/metrics") return Metrics(request.local, std::move(respond));
    if (!request.path.starts_with(kApiPrefix)) {
      return respond(ErrorResponse(Error{ErrorKind::kNotFound, "there is no " + request.path, ""}));
    }
    const std::string verb = request.path.substr(kApiPrefix.size());
    if (request.method == "GET") return Read(verb, request, std::move(respond));
    if (verb == "alerts/test") return SendTest(std::move(respond));
    respond(JsonOrError(Write(verb, request.body)));
  }

 private:
  // Runs `work` with a reader's connection on the readers' thread and answers on the io_context's.
  // Who asks over the network may hold that thread only briefly with one query.
  void OnReader(bool is_local, std::function<ApiResponse(HistoryReader&)> work, Respond respond) {
    asio::post(readers_, [this, is_local, work = std::move(work), respond = std::move(respond),
                          guard = asio::make_work_guard(parts_.io)]() mutable {
      ApiResponse response;
      std::unique_ptr<HistoryReader>& reader = is_local ? local_reader_ : remote_reader_;
      if (!reader) {
        auto opened = HistoryReader::Open(parts_.config.DatabasePath(),
                                          is_local ? kLocalQueryLimit : kRemoteQueryLimit);
        if (opened)
          reader = *std::move(opened);
        else
          response = ErrorResponse(opened.error());
      }
      if (reader) response = work(*reader);
      asio::post(parts_.io,
                 [respond = std::move(respond), response = std::move(response)]() mutable {
                   respond(std::move(response));
                 });
    });
  }

  void Metrics(bool is_local, Respond respond) {
    const LiveNumbers live{parts_.pipeline.evaluating(), parts_.ready()};
    OnReader(
        is_local,
        [this, live](HistoryReader& history) -> ApiResponse {
          Result<std::string> text = MetricsText(history, parts_.config, live);
          if (!text) return ErrorResponse(text.error());
          return {200, *std::move(text), "text/plain; version=0.0.4; charset=utf-8"};
        },
        std::move(respond));
  }

  void Read(const std::string& verb, const ApiRequest& request, Respond respond) {
    const std::string live = verb == "status" ? LiveStatus() : "";
    OnReader(
        request.local,
        [this, verb, live, parameters = request.parameters](HistoryReader& history) {
          Result<std::string> text = Answer(history, parts_.config, parts_.clock, verb, parameters);
          if (text && !live.empty()) {
            text->pop_back();
            *text += ",\"daemon\":" + live + "}";
          }
          return JsonOrError(std::move(text));
        },
        std::move(respond));
  }

  std::string LiveStatus() const {
    JsonWriter json;
    json.BeginObject().Field("pid", static_cast<std::int64_t>(::getpid()));
    json.Field("version", COUPLINGD_VERSION).Field("ready", parts_.ready());
    json.Field("started_at", FormatTime(started_at_));
    json.EndObject();
    std::string text = json.Text();
    text.pop_back();
    return text + ",\"evaluating\":" + parts_.pipeline.EvaluatingJson() + "}";
  }

  Result<std::string> Write(const std::string& verb, const std::string& body) {
    const JsonDocument document = TRY(ParseJson(body, kBody));
    if (verb == "notify") return TakeNotice(parts_.pipeline, document);
    if (verb == "retry") {
      TRY(parts_.pipeline.Retry(TRY(GetInt(document, "checkpoint", kBody))));
      return "{}";
    }
    if (verb == "import") {
      return ToJson(TRY(RecordImport(parts_.history, parts_.clock, TRY(ImportFromJson(body)))));
    }
    if (verb == "losses") {
      return ToJson(TRY(RecordLosses(parts_.history, TRY(LossImportFromJson(body)))));
    }
    if (verb.starts_with(kAlertsPrefix)) {
      const std::string_view change = std::string_view(verb).substr(kAlertsPrefix.size());
      std::string answer =
          TRY(ChangeAlerts(parts_.history, parts_.config, parts_.clock, change, document));
      parts_.pipeline.Tick();
      return answer;
    }
    return Fail(ErrorKind::kNotFound,
                fmt::format("there is nothing called \"{}\" to change", verb));
  }

  void SendTest(Respond respond) {
    asio::post(senders_, [this, respond = std::move(respond),
                          guard = asio::make_work_guard(parts_.io)]() mutable {
      std::string text =
          TestAnswersJson(SendTestAlert(parts_.sinks, parts_.clock, stop_.get_token()));
      asio::post(parts_.io, [respond = std::move(respond), text = std::move(text)]() mutable {
        respond({200, std::move(text)});
      });
    });
  }

  const ApiParts parts_;
  const UnixMillis started_at_;
  std::unique_ptr<HistoryReader> local_reader_, remote_reader_;  // of the readers' thread only
  std::stop_source stop_;
  asio::thread_pool readers_;
  asio::thread_pool senders_;
};

Api::Api(const ApiParts& parts) : impl_(std::make_unique<Impl>(parts)) {}
Api::~Api() = default;

void Api::Handle(ApiRequest request, std::function<void(ApiResponse)> respond) {
  impl_->Handle(std::move(request), std::move(respond));
}

}  // namespace couplingd
