#include <fmt/format.h>

#include <algorithm>

#include "alerts/delivery.h"
#include "alerts/sink.h"
#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/object_text.h"
#include "cli/screen_text.h"
#include "cli/views.h"

namespace couplingd {
namespace {

struct AlertOptions {
  Format format;
  std::string run, since, limit, key;
  bool log = false;
};

Result<JsonDocument> AskAlerts(const CommandContext& context, const AlertOptions& options) {
  QueryParameters parameters;
  if (!options.run.empty()) parameters["run"] = options.run;
  if (!options.since.empty()) parameters["since"] = options.since;
  if (!options.limit.empty()) parameters["limit"] = options.limit;
  if (options.log) parameters["log"] = "1";
  if (!options.key.empty()) parameters["key"] = options.key;
  const Places places = TRY(FindPlaces(context.source, context.services));
  const auto source = TRY(OpenSource(places, context.services));
  return ParseJson(TRY(source->Ask("alerts", parameters)), "answer to alerts");
}

Result<int> List(const CommandContext& context, const AlertOptions& options) {
  const JsonDocument alerts = TRY(AskAlerts(context, options));
  TRY(PrintRows(context, options.format, "alerts", alerts));
  if (options.format.json || options.format.csv) return 0;
  const Places places = TRY(FindPlaces(context.source, context.services));
  const auto source = TRY(OpenSource(places, context.services));
  const JsonDocument status = TRY(ParseJson(TRY(source->Ask("status", {})), "answer to status"));
  const std::string digest = FalseAlarmText(status);
  if (!digest.empty()) context.Print(fmt::format("declared rates: {}\n", digest));
  return 0;
}

Result<int> Why(const CommandContext& context, const AlertOptions& options) {
  const JsonDocument alerts = TRY(AskAlerts(context, options));
  if (alerts.Empty() && !options.key.empty()) {
    return Fail(ErrorKind::kNotFound, fmt::format("no alert begins with \"{}\"", options.key),
                "see couplingctl alerts");
  }
  if (options.format.json || options.format.csv || alerts.Empty()) {
    TRY(PrintRows(context, options.format, "alerts", alerts));
    return 0;
  }
  for (const JsonValue& alert : alerts.GetArray()) {
    if (&alert != alerts.Begin()) context.Print("\n");
    context.Print(RenderAlert(alert, static_cast<std::size_t>(context.terminal.columns)));
  }
  return 0;
}

// Without a daemon the sinks of the configuration are asked from here.
Result<std::string> TestFromHere(const CommandContext& context, const Places& places) {
  if (!places.config) {
    return Fail(ErrorKind::kNotFound, "no daemon answers, and no configuration names sinks",
                "name it with --config FILE");
  }
  const SinkServices services{context.services.http, context.services.clock};
  std::vector<std::shared_ptr<Sink>> sinks;
  for (auto& sink : TRY(MakeSinks(places.config->sinks, services)))
    sinks.push_back(std::move(sink));
  JsonWriter json;
  json.BeginArray();
  for (const TestAnswer& answer : SendTestAlert(sinks, context.services.clock)) {
    json.BeginObject().Field("sink", answer.sink);
    json.Field("delivered", answer.outcome.result == DeliveryResult::kDelivered);
    json.Field("text", answer.outcome.text);
    json.Field("milliseconds", static_cast<std::int64_t>(answer.took.count())).EndObject();
  }
  return json.EndArray().Text();
}

Result<int> Test(const CommandContext& context, const AlertOptions& options) {
  const Places places = TRY(FindPlaces(context.source, context.services));
  auto text = PostToDaemon(places, context.services, "alerts/test", "{}");
  if (!text && text.error().kind == ErrorKind::kUnavailable) text = TestFromHere(context, places);
  const JsonDocument answers = TRY(ParseJson(TRY(std::move(text)), "answer to alerts test"));
  if (options.format.json) context.PrintData(RenderJsonRows(answers));
  int failed = 0;
  for (const JsonValue& answer : answers.GetArray()) {
    const JsonValue* delivered = FindMember(answer, "delivered");
    const bool ok = delivered && delivered->IsTrue();
    failed += !ok;
    if (options.format.json) continue;
    context.Print(fmt::format("{}: {} in {} ms: {}\n", Printable(TextOf(answer, "sink")),
                              ok ? "delivered" : "not delivered",
                              IntegerCell(answer, "milliseconds"),
                              Printable(TextOf(answer, "text"))));
  }
  if (answers.Empty() && !options.format.json) context.Say("no sinks are configured\n");
  if (failed == 0) return 0;
  return Fail(ErrorKind::kUnavailable,
              fmt::format("{} of {} sinks did not take the test alert", failed, answers.Size()));
}

}  // namespace

void AddAlertVerbs(CLI::App& app, CommandContext& context) {
  CLI::App* alerts =
      app.add_subcommand("alerts", "What is firing, why, and what might be done about it");
  auto options = std::make_shared<AlertOptions>();
  const auto add_filters = [&](CLI::App* command) {
    command->add_option("--run", options->run, "Alerts about this run or family");
    command->add_option("--since", options->since, "Not older than 7d, or since 2026-11-01");
    command->add_option("--limit", options->limit, "At most so many");
    command->add_flag("--log", options->log, "All transitions, not only the newest of each alert");
    options->format.AddTo(*command);
  };
  const auto run = [&context,
                    options](Result<int> (*what)(const CommandContext&, const AlertOptions&)) {
    return [&context, options, what] {
      context.run = [&context, options, what] { return what(context, *options); };
    };
  };
  add_filters(alerts);
  alerts->require_subcommand(0, 1);
  alerts->preparse_callback([set = run(List)](std::size_t) { set(); });
  CLI::App* list = alerts->add_subcommand("list", "The alerts (the default)");
  add_filters(list);
  list->callback(run(List));
  CLI::App* why = alerts->add_subcommand("why",
                                         "Everything about one alert, or all: numbers, interval, "
                                         "interventions, and who was told\nor was not, and why");
  why->add_option("ALERT", options->key, "Its key, or how the key begins");
  add_filters(why);
  why->callback(run(Why));
  CLI::App* test = alerts->add_subcommand(
      "test", "Send one marked test alert to every sink and show the answers");
  test->add_flag("--json", options->format.json, "Print JSON");
  test->callback(run(Test));
  AddAlertChanges(*alerts, context);
  AddReplayVerb(*alerts, context);
  alerts->footer(
      "Examples:\n  couplingctl alerts\n  couplingctl alerts why 3f9c\n"
      "  couplingctl alerts silence run=web-1b --for 2h --reason \"planned restart\"\n"
      "  couplingctl alerts test");
}

}  // namespace couplingd
