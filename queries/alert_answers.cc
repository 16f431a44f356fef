#include "queries/alert_answers.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "queries/intervention_grades.h"
#include "queries/parameters.h"
#include "records/alert_json.h"

namespace couplingd {
namespace {

void WriteDelivery(JsonWriter& json, const Delivery& delivery) {
  json.Field("sink", delivery.sink).Field("state", delivery.state);
  json.Field("attempts", delivery.attempts).Field("repeat", delivery.repeat);
  json.Field("next_attempt_at",
             delivery.state == "pending" ? TimeOrNull(delivery.next_attempt_at) : std::nullopt);
  json.Field("last_outcome", delivery.last_outcome);
}

void WriteDecisions(JsonWriter& json, const std::vector<NotificationDecision>& decisions) {
  json.Key("decisions").BeginArray();
  for (const NotificationDecision& decision : decisions) {
    json.BeginObject().Field("at", FormatTime(decision.at));
    json.Field("sequence", decision.sequence).Field("sink", decision.sink);
    json.Field("queued", decision.is_sent).Field("reason", decision.reason);
    json.Field("detail", decision.detail).EndObject();
  }
  json.EndArray();
}

class AlertWriter {
 public:
  static Result<AlertWriter> Make(HistoryReader& history) {
    AlertWriter writer(TRY(InterventionGrader::Read(history)));
    writer.deliveries_ = TRY(history.Deliveries(""));
    writer.acknowledgements_ = TRY(history.Acknowledgements());
    return writer;
  }

  // Without its closing brace.
  void Write(JsonWriter& json, const Alert& alert) const {
    const Finding& finding = alert.finding;
    json.BeginObject().Field("key", alert.key).Field("sequence", alert.sequence);
    json.Field("state", ToString(alert.state))
        .Field("rule", finding.rule)
        .Field("kind", finding.kind);
    json.Field("run", finding.run).Field("subject", finding.subject);
    json.Field("severity", ToString(finding.severity)).Field("summary", finding.summary);
    json.Field("description", finding.description).Field("starts_at", FormatTime(alert.starts_at));
    json.Field("ends_at", TimeOrNull(alert.ends_at)).Key("resolution");
    alert.resolution.empty() ? json.Null() : json.Value(alert.resolution);
    json.Field("test", alert.is_test);
    json.Key("labels").BeginObject();
    for (const auto& [name, value] : finding.labels) json.Field(name, value);
    json.EndObject().Key("interventions");
    WriteInterventions(json, finding.interventions, grader_.Grade(alert));
    WriteAcknowledgement(json, alert);
    json.Key("deliveries").BeginArray();
    for (const Delivery& delivery : deliveries_) {
      if (delivery.alert_key != alert.key || delivery.sequence != alert.sequence) continue;
      json.BeginObject();
      WriteDelivery(json, delivery);
      json.EndObject();
    }
    json.EndArray();
  }

 private:
  explicit AlertWriter(InterventionGrader grader) : grader_(std::move(grader)) {}

  void WriteAcknowledgement(JsonWriter& json, const Alert& alert) const {
    json.Key("acknowledged");
    const auto found = std::ranges::find_if(acknowledgements_, [&](const Acknowledgement& each) {
      return each.alert_key == alert.key && each.sequence == alert.sequence;
    });
    if (found == acknowledgements_.end()) {
      json.Null();
      return;
    }
    json.BeginObject().Field("author", found->author).Field("reason", found->reason);
    json.Field("at", FormatTime(found->at)).EndObject();
  }

  InterventionGrader grader_;
  std::vector<Delivery> deliveries_;
  std::vector<Acknowledgement> acknowledgements_;
};

}  // namespace

Result<std::string> AnswerAlerts(const QueryContext& context) {
  const HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  const bool log = context.parameters.contains("log");
  const auto key = context.parameters.find("key");
  const AlertWriter writer = TRY(AlertWriter::Make(context.history));
  JsonWriter json;
  json.BeginArray();
  for (const Alert& alert :
       TRY(log ? context.history.AlertLog(filter) : context.history.Alerts(filter))) {
    if (key != context.parameters.end() && !alert.key.starts_with(key->second)) continue;
    writer.Write(json, alert);
    if (key != context.parameters.end()) {
      WriteDecisions(json, TRY(context.history.Decisions(alert.key)));
    }
    json.EndObject();
  }
  return json.EndArray().Text();
}

Result<std::string> AnswerDeliveries(const QueryContext& context) {
  JsonWriter json;
  json.BeginArray();
  for (const Delivery& delivery : TRY(context.history.Deliveries(""))) {
    json.BeginObject().Field("id", delivery.id).Field("delivery_id", delivery.delivery_id);
    json.Field("alert_key", delivery.alert_key).Field("sequence", delivery.sequence);
    WriteDelivery(json, delivery);
    json.EndObject();
  }
  return json.EndArray().Text();
}

Result<std::string> AnswerSilences(const QueryContext& context) {
  const UnixMillis now = context.clock.Now();
  JsonWriter json;
  json.BeginArray();
  for (const Silence& silence : TRY(context.history.Silences())) {
    const bool is_over = now >= silence.ends_at || !silence.ended_by.empty();
    json.BeginObject().Field("id", silence.id).Field("active", !is_over);
    json.Key("matchers").BeginArray();
    for (const std::string& matcher : silence.matchers) json.Value(matcher);
    json.EndArray().Field("author", silence.author).Field("reason", silence.reason);
    json.Field("starts_at", FormatTime(silence.starts_at));
    json.Field("ends_at", FormatTime(silence.ends_at)).Field("until_step", silence.until_step);
    json.Field("ended_by",
               silence.ended_by.empty() ? std::nullopt : std::optional(silence.ended_by));
    json.EndObject();
  }
  return json.EndArray().Text();
}

}  // namespace couplingd
