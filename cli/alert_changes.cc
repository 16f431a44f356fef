// What people do about alerts, from the command line.
#include "queries/alert_changes.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/screen_text.h"

namespace couplingd {
namespace {

struct ChangeOptions {
  Format format;
  std::vector<std::string> matchers;
  std::string alert, author, reason, span, sink;
  std::optional<std::int64_t> id, until_step;
  bool all = false;
};

// Who says it, where nobody is named: the user of this process.
std::string AuthorOf(const ChangeOptions& options) {
  if (!options.author.empty()) return options.author;
  const passwd* user = ::getpwuid(::getuid());
  return user ? user->pw_name : fmt::format("user {}", ::getuid());
}

// Through the daemon, or with the writer where none runs.
Result<JsonDocument> Change(const CommandContext& context, std::string_view verb,
                            const JsonWriter& body) {
  const Places places = TRY(FindPlaces(context.source, context.services));
  auto text = PostToDaemon(places, context.services, fmt::format("alerts/{}", verb), body.Text());
  if (!text && text.error().kind == ErrorKind::kUnavailable) {
    const auto writer = TRY(OpenWriter(places, context.services));
    const JsonDocument document = TRY(ParseJson(body.Text(), "request"));
    text = ChangeAlerts(*writer, places.config.value_or(Config{}), context.services.clock, verb,
                        document);
  }
  return ParseJson(TRY(std::move(text)), "answer");
}

Result<int> AddSilence(const CommandContext& context, const ChangeOptions& options) {
  JsonWriter body;
  body.BeginObject().Key("matchers").BeginArray();
  for (const std::string& matcher : options.matchers) body.Value(matcher);
  body.EndArray().Field("author", AuthorOf(options)).Field("reason", options.reason);
  if (!options.span.empty()) {
    const auto span = ParseDuration(options.span);
    if (!span) return Fail(ErrorKind::kUsage, "--for: " + span.error().message, span.error().hint);
    body.Field("seconds", static_cast<double>(span->count()) / 1000);
  }
  body.Field("until_step", options.until_step).EndObject();
  const JsonDocument answer = TRY(Change(context, "silence", body));
  context.Print(fmt::format("silence {} until {} UTC; of what fires now it holds back {}\n",
                            IntegerCell(answer, "id"), TimeCell(answer, "ends_at"),
                            IntegerCell(answer, "holds_back")));
  return 0;
}

Result<int> EndSilence(const CommandContext& context, const ChangeOptions& options) {
  JsonWriter body;
  body.BeginObject().Field("id", options.id).Field("author", AuthorOf(options)).EndObject();
  TRY(Change(context, "unsilence", body));
  context.Print(fmt::format("silence {} is over; what still fires is sent\n", *options.id));
  return 0;
}

Result<int> Acknowledge(const CommandContext& context, const ChangeOptions& options) {
  JsonWriter body;
  body.BeginObject().Field("alert", options.alert).Field("author", AuthorOf(options));
  body.Field("reason", options.reason).EndObject();
  const JsonDocument answer = TRY(Change(context, "acknowledge", body));
  context.Print(fmt::format("{} is acknowledged, it is not repeated: {}\n",
                            TextOf(answer, "alert").substr(0, 8),
                            Printable(TextOf(answer, "summary"))));
  return 0;
}

Result<int> Redeliver(const CommandContext& context, const ChangeOptions& options) {
  if (options.id.has_value() + !options.sink.empty() + options.all != 1) {
    return Fail(ErrorKind::kUsage, "redeliver takes a DELIVERY, --sink or --all, one of them",
                "see couplingctl alerts deliveries");
  }
  JsonWriter body;
  body.BeginObject();
  if (options.id) body.Field("id", options.id);
  body.Field("sink", options.sink).EndObject();
  const JsonDocument answer = TRY(Change(context, "redeliver", body));
  context.Print(fmt::format("{} deliveries are tried again\n", IntegerCell(answer, "deliveries")));
  return 0;
}

// A list that the verb of queries.h of this name gives.
template <const char* verb>
Result<int> List(const CommandContext& context, const ChangeOptions& options) {
  const Places places = TRY(FindPlaces(context.source, context.services));
  const auto source = TRY(OpenSource(places, context.services));
  const JsonDocument rows = TRY(ParseJson(TRY(source->Ask(verb, {})), "answer"));
  TRY(PrintRows(context, options.format, verb, rows));
  return 0;
}

constexpr char kSilences[] = "silences";
constexpr char kDeliveries[] = "deliveries";

}  // namespace

void AddAlertChanges(CLI::App& alerts, CommandContext& context) {
  auto options = std::make_shared<ChangeOptions>();
  const auto add = [&](const char* name, const char* description,
                       Result<int> (*what)(const CommandContext&, const ChangeOptions&)) {
    CLI::App* verb = alerts.add_subcommand(name, description);
    verb->callback([&context, options, what] {
      context.run = [&context, options, what] { return what(context, *options); };
    });
    return verb;
  };
  const auto add_author = [&](CLI::App* verb) {
    verb->add_option("--author", options->author, "Who says so (default: you)");
  };
  CLI::App* silence =
      add("silence", "Hold back alerts whose labels match, for some time", AddSilence);
  silence
      ->add_option("LABEL=VALUE", options->matchers,
                   "Conditions that all have to hold: label=value, !=, =~ (regex), !~")
      ->required();
  silence->add_option("--reason", options->reason, "Why; others read it")->required();
  silence->add_option("--for", options->span, "How long, such as 2h (default: the longest, 7d)");
  silence->add_option("--until-step", options->until_step,
                      "It also ends for a run that has a checkpoint of this step");
  add_author(silence);
  CLI::App* unsilence = add("unsilence", "End a silence", EndSilence);
  unsilence->add_option("SILENCE", options->id, "Its number")->required();
  add_author(unsilence);
  options->format.AddTo(*add(kSilences, "The silences, newest first", List<kSilences>));
  CLI::App* ack = add("ack", "Say that you look after an alert: it is not repeated", Acknowledge);
  ack->add_option("ALERT", options->alert, "Its key, or how the key begins")->required();
  ack->add_option("--reason", options->reason, "What you do about it");
  add_author(ack);
  options->format.AddTo(
      *add(kDeliveries, "What sinks were told and are still to be told", List<kDeliveries>));
  CLI::App* redeliver = add("redeliver", "Try again what was given up", Redeliver);
  redeliver->add_option("DELIVERY", options->id, "Its number, as alerts deliveries shows it");
  redeliver->add_option("--sink", options->sink, "All of this sink");
  redeliver->add_flag("--all", options->all, "All of all sinks");
}

}  // namespace couplingd
