#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "alerts/slack_api.h"
#include "alerts/slack_errors.h"
#include "alerts/slack_message.h"
#include "base/json.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;

// The message that tells of an alert first. As a receipt: "C0123456 1795442700.000100", with
// " digest" where it tells of many.
struct Root {
  std::string channel, ts;
  bool is_digest = false;

  std::string Receipt() const {
    return fmt::format("{} {}{}", channel, ts, is_digest ? " digest" : "");
  }
};

bool IsWordOf(std::string_view text, bool (*allowed)(unsigned char)) {
  return !text.empty() && text.size() <= 40 && std::ranges::all_of(text, allowed);
}

// nullopt where the text is no receipt of this sink's.
std::optional<Root> RootOf(std::string_view receipt) {
  const std::size_t blank = receipt.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view channel = receipt.substr(0, blank);
  std::string_view ts = receipt.substr(blank + 1);
  constexpr std::string_view kDigest = " digest";
  const bool is_digest = ts.ends_with(kDigest);
  if (is_digest) ts.remove_suffix(kDigest.size());
  const bool is_good =
      IsWordOf(channel, [](unsigned char c) { return std::isalnum(c) != 0; }) &&
      IsWordOf(ts, [](unsigned char c) { return std::isdigit(c) != 0 || c == '.'; });
  if (!is_good) return std::nullopt;
  return Root{std::string(channel), std::string(ts), is_digest};
}

bool IsDelivered(const DeliveryOutcome& outcome) {
  return outcome.result == DeliveryResult::kDelivered;
}

// Where Slack asks to wait, that concerns whatever comes next.
void Heed(const DeliveryOutcome& side, DeliveryOutcome& outcome) {
  if (!side.retry_after) return;
  outcome.retry_after =
      std::max(*side.retry_after, outcome.retry_after.value_or(std::chrono::milliseconds(0)));
}

// What tells copies of one message apart from two messages, for whoever looks.
void WriteMetadata(JsonWriter& json, const Notification& notification) {
  const AlertNews& first = notification.news.front();
  json.Key("metadata").BeginObject().Field("event_type", "couplingd_alert");
  json.Key("event_payload").BeginObject().Field("delivery_id", notification.delivery_id);
  if (!notification.is_digest) {
    json.Field("alert_key", first.alert.key).Field("sequence", first.alert.sequence);
  }
  json.Field("alerts", static_cast<std::int64_t>(notification.news.size()));
  json.EndObject().EndObject();
}

// The arguments of chat.postMessage and chat.update.
std::string Arguments(const std::string& channel, const Notification& notification,
                      const SlackMessage& message, const Root* at = nullptr,
                      bool in_thread = false) {
  JsonWriter json;
  json.BeginObject().Field("channel", channel);
  if (at) json.Field(in_thread ? "thread_ts" : "ts", at->ts);
  // A reminder is for those who do not follow the thread.
  if (in_thread && notification.news.front().delivery.repeat > 0 &&
      notification.news.front().alert.state == AlertState::kFiring) {
    json.Field("reply_broadcast", true);
  }
  if (!at || in_thread) json.Field("unfurl_links", false).Field("unfurl_media", false);
  WriteMetadata(json, notification);
  json.EndObject();
  std::string text = json.Text();
  text.insert(text.size() - 1, "," + message.Members());
  return text;
}

// Tells of alerts through the Web API: each in a message of its own, whose thread carries what
// comes later, and which is kept as the alert stands.
class SlackBotSink final : public Sink {
 public:
  SlackBotSink(const SinkConfig& config, const SinkServices& services, SlackApi api)
      : name_(config.name),
        channel_(config.channel),
        timeout_(config.timeout),
        clock_(services.clock),
        api_(std::move(api)) {}

  const std::string& Name() const override { return name_; }
  SinkTraits Traits() const override {
    return {.pace = {.per_second = 1, .burst = 1}, .most_alerts = 1, .takes_charts = true};
  }

  // What can be done twice without harm is done first, so that a retry repeats nothing: the first
  // message is put right, then the news is posted, then the chart.
  DeliveryOutcome Send(const Notification& notification, std::stop_token stop) override {
    const SlackDeadline deadline{clock_.Steady() + timeout_, std::move(stop)};
    const AlertNews& news = notification.news.front();
    const std::optional<Root> root = RootOf(news.receipt);
    // Of an incident that was not told yet the receipt is that of an earlier one.
    const bool begins =
        news.alert.state == AlertState::kResolved ? !news.told_firing : news.delivery.repeat == 0;
    if (notification.news.size() > 1 || notification.is_digest || begins || !root) {
      return PostFirst(notification, deadline);
    }
    std::string note;
    if (!root->is_digest) {
      const SlackAnswer update = PutRight(notification, *root, deadline);
      if (IsSlackMessageGone(update.error)) return PostFirst(notification, deadline);
      if (IsSlackMessageFixed(update.error)) {
        note = "; the first message stays as it was: " + update.outcome.text;
      } else if (!IsDelivered(update.outcome)) {
        return update.outcome;
      }
    }
    return Reply(notification, *root, note, deadline);
  }

 private:
  DeliveryOutcome PostFirst(const Notification& notification, const SlackDeadline& deadline) const {
    const SlackAnswer answer =
        api_.Call("chat.postMessage",
                  Arguments(channel_, notification, SlackMessageOf(notification)), deadline);
    DeliveryOutcome outcome = answer.outcome;
    if (!IsDelivered(outcome)) return outcome;
    const Root claimed{answer.Text("channel"), answer.Text("ts"), notification.is_digest};
    const std::optional<Root> root = RootOf(claimed.Receipt());
    if (!root) {
      outcome.text += "; Slack did not say where the message stands, so there is no thread to it";
      return outcome;
    }
    outcome.receipt = root->Receipt();
    if (notification.is_digest) {
      PutRightThoseThatEnded(notification, deadline, outcome);
    } else {
      ShowChart(notification.news.front(), *root, deadline, outcome);
    }
    return outcome;
  }

  DeliveryOutcome Reply(const Notification& notification, const Root& root, const std::string& note,
                        const SlackDeadline& deadline) const {
    const SlackAnswer answer = api_.Call(
        "chat.postMessage",
        Arguments(root.channel, notification, SlackReplyOf(notification), &root, true), deadline);
    if (IsSlackMessageGone(answer.error)) return PostFirst(notification, deadline);
    DeliveryOutcome outcome = answer.outcome;
    if (!IsDelivered(outcome)) return outcome;
    outcome.receipt = root.Receipt();
    outcome.text += note;
    ShowChart(notification.news.front(), root, deadline, outcome);
    return outcome;
  }

  SlackAnswer PutRight(const Notification& notification, const Root& root,
                       const SlackDeadline& deadline) const {
    return api_.Call("chat.update",
                     Arguments(root.channel, notification, SlackMessageOf(notification), &root),
                     deadline);
  }

  // A digest says of alerts with messages of their own that they are over: those messages are put
  // right as far as the time goes. The outcome says how many are not.
  void PutRightThoseThatEnded(const Notification& digest, const SlackDeadline& deadline,
                              DeliveryOutcome& outcome) const {
    constexpr int kMost = 20;
    int right = 0, left = 0;
    for (const AlertNews& news : digest.news) {
      const std::optional<Root> root = RootOf(news.receipt);
      if (!news.told_firing || !root || root->is_digest) continue;
      if (left > 0 || right == kMost || clock_.Steady() + 2s > deadline.at) {
        ++left;
        continue;
      }
      const Notification own{.delivery_id = digest.delivery_id, .news = {news}};
      const SlackAnswer update = PutRight(own, *root, deadline);
      Heed(update.outcome, outcome);
      ++(IsDelivered(update.outcome) ? right : left);
    }
    if (left == 0) return;
    outcome.text +=
        fmt::format("; {} earlier messages of alerts that are over still show them firing", left);
  }

  // Puts the chart into the thread. It is never a reason not to have told of the alert: the outcome
  // says why it could not be shown.
  void ShowChart(const AlertNews& news, const Root& root, const SlackDeadline& deadline,
                 DeliveryOutcome& outcome) const {
    if (news.chart_png.empty()) return;
    if (clock_.Steady() + 1s > deadline.at) {
      outcome.text += "; the chart was left out: no time was left";
      return;
    }
    const DeliveryOutcome upload = UploadChart(news, root, deadline);
    Heed(upload, outcome);
    if (!IsDelivered(upload)) outcome.text += "; the chart was not shown: " + upload.text;
  }

  DeliveryOutcome UploadChart(const AlertNews& news, const Root& root,
                              const SlackDeadline& deadline) const {
    const std::string name = "chart-" + news.alert.key.substr(0, 12) + ".png";
    const std::string length = fmt::format("{}", news.chart_png.size());
    const SlackAnswer place = api_.CallForm("files.getUploadURLExternal",
                                            {{"filename", name}, {"length", length}}, deadline);
    if (!IsDelivered(place.outcome)) return place.outcome;
    DeliveryOutcome sent = api_.Upload(place.Text("upload_url"), news.chart_png, deadline);
    if (!IsDelivered(sent)) {
      sent.text = "the upload: " + sent.text;
      return sent;
    }
    JsonWriter json;
    json.BeginObject().Key("files").BeginArray().BeginObject();
    json.Field("id", place.Text("file_id"));
    json.Field("title", fmt::format("{}: {}", news.alert.finding.run, news.alert.finding.subject));
    json.EndObject().EndArray();
    json.Field("channel_id", root.channel).Field("thread_ts", root.ts).EndObject();
    return api_.Call("files.completeUploadExternal", json.Text(), deadline).outcome;
  }

  const std::string name_;
  const std::string channel_;
  const std::chrono::milliseconds timeout_;
  const Clock& clock_;
  const SlackApi api_;
};

}  // namespace

Result<std::unique_ptr<Sink>> MakeSlackBotSink(const SinkConfig& config,
                                               const SinkServices& services) {
  if (config.channel.empty()) {
    return Fail(ErrorKind::kUsage, "no channel is named", "write channel: C0123456789, its ID");
  }
  return std::make_unique<SlackBotSink>(config, services, TRY(SlackApi::Make(config, services)));
}

}  // namespace couplingd
