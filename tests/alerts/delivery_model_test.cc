// Every sequence of four steps out of ten against a model of what a sink has to hear, with the real
// policy, outbox and store. A step is two hours; alerts wait three hours for others of their group,
// so that a firing is silenced, inhibited or resolved before, while and after it is sent.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "alerts/notify.h"
#include "alerts/store_gateway.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;

constexpr std::array kSteps = {"fire",    "resolve", "silence", "unsilence", "inhibit",
                               "release", "crash",   "reload",  "sink down", "sink up"};
constexpr std::size_t kLength = 4;
using Sequence = std::array<std::size_t, kLength>;

constexpr UnixMillis kStep = 2 * 3600000, kGroupWait = 3 * 3600000;

// What the sink hears, in order: "firing 1", "resolved 1", "fired and resolved 2", …
using Wire = std::vector<std::string>;

// ---- The model. It knows nothing of rows, sequences, attempts or restarts.
class Model {
 public:
  void Step(std::string_view step) {
    if (step == "silence" || step == "unsilence") silenced_ = step == "silence";
    if (step == "inhibit" || step == "release") inhibited_ = step == "inhibit";
    if (step == "sink down" || step == "sink up") down_ = step == "sink down";
    if (step == "fire" && !firing_) {
      firing_ = true;
      fired_at_ = now_;
      ++incident_;
    }
    const bool ends = step == "resolve" && firing_;
    if (ends) firing_ = false;
    Decide(ends);
    const bool is_due = waiting_ && waiting_->due < now_ + kStep;
    if (is_due) {
      waiting_->begun = true;
      may_know_firing_ = may_know_firing_ || waiting_->is_firing;
      if (!down_) Deliver();
    }
    now_ += kStep;
  }
  const Wire& wire() const { return wire_; }

 private:
  struct Item {
    int incident = 0;
    bool is_firing = false;
    bool begun = false;  // it may have arrived
    UnixMillis due = 0;
  };

  void Decide(bool ends) {
    const bool held = silenced_ || inhibited_;
    const bool waits = waiting_ && waiting_->is_firing && waiting_->incident == incident_;
    const bool withdraw = waits && !waiting_->begun && held;
    if (firing_) {
      if (withdraw) waiting_ = std::exchange(behind_, std::nullopt);
      if (!held && !waits && told_ != incident_) {
        behind_ = waiting_;
        waiting_ = {incident_, true, false, std::max(now_, fired_at_ + kGroupWait)};
      }
    } else if (ends) {
      if (may_know_firing_ || (waits && !withdraw)) {
        behind_.reset();
        waiting_ = {incident_, false, false, now_};
      } else if (withdraw) {
        waiting_ = std::exchange(behind_, std::nullopt);
      }
    }
  }

  void Deliver() {
    const std::string number = " " + std::to_string(waiting_->incident);
    if (waiting_->is_firing) {
      wire_.push_back("firing" + number);
      told_ = waiting_->incident;
    } else {
      wire_.push_back((told_ == waiting_->incident ? "resolved" : "fired and resolved") + number);
      may_know_firing_ = false;
    }
    waiting_.reset();
    behind_.reset();
  }

  bool firing_ = false, silenced_ = false, inhibited_ = false, down_ = false;
  bool may_know_firing_ = false;
  int incident_ = 0, told_ = 0;  // the newest firing that was acknowledged
  UnixMillis now_ = 0, fired_at_ = 0;
  std::optional<Item> waiting_, behind_;  // behind_: the end that a waiting firing has replaced
  Wire wire_;
};

// ---- The thing itself: store, policy and outbox, with a sink that can be away.
class Real {
 public:
  explicit Real(std::string directory) : directory_(std::move(directory)) {
    config_.sinks.resize(1);
    config_.sinks[0].name = "ops";
    config_.sinks[0].match.push_back(*Matcher::Parse("kind=phase"));
    config_.notify.group_wait = std::chrono::milliseconds(kGroupWait);
    config_.notify.repeat_interval = 0s;
    config_.inhibitions.resize(1);
    config_.inhibitions[0].source.push_back(*Matcher::Parse("kind=bad_checkpoint"));
    config_.inhibitions[0].target.push_back(*Matcher::Parse("kind=phase"));
    config_.inhibitions[0].equal = {"run"};
    Restart();
  }

  void Step(std::string_view step) {
    const UnixMillis end = clock_.Now() + kStep;
    bool crashes = step == "crash";
    if (step == "fire") Change("alert", "phase", AlertState::kFiring);
    if (step == "resolve") Change("alert", "phase", AlertState::kResolved);
    if (step == "inhibit") Change("source", "bad_checkpoint", AlertState::kFiring);
    if (step == "release") Change("source", "bad_checkpoint", AlertState::kResolved);
    if (step == "silence") Silence();
    if (step == "unsilence") Unsilence();
    if (step == "sink down" || step == "sink up") down_ = step == "sink down";
    if (step == "reload") memory_ = {.sink = "ops"};
    Must(NotifySinks(*writer_, config_, clock_.Now()));
    while (true) {
      Result<Work> work = FindWork(*writer_, memory_, clock_.Now());
      ASSERT_TRUE(work) << work.error().Text();
      if (work->notification) {
        const DeliveryOutcome outcome = Send(*work->notification);
        // A crash takes the record of what was sent along.
        if (std::exchange(crashes, false)) {
          Restart();
        } else {
          Must(RecordOutcome(*writer_, memory_, *work->notification, outcome, clock_.Now()));
        }
      } else if (work->next_at && *work->next_at < end) {
        clock_.Advance(
            std::chrono::milliseconds(std::max<UnixMillis>(*work->next_at - clock_.Now(), 1)));
      } else {
        break;
      }
    }
    if (crashes) Restart();
    clock_.Advance(std::chrono::milliseconds(end - clock_.Now()));
  }

  const Wire& wire() const { return wire_; }
  int repeats() const { return repeats_; }
  // Every transition that fires or resolves has a decision with a reason.
  bool EveryTransitionIsExplained() {
    const std::vector<Alert> log = writer_->reader().AlertLog({}).value();
    for (const Alert& alert : log) {
      const auto decisions = writer_->reader().Decisions(alert.key).value();
      const bool explained = std::ranges::any_of(decisions, [&](const auto& decision) {
        return decision.sequence == alert.sequence && !decision.reason.empty();
      });
      if (!explained) return false;
    }
    return true;
  }

 private:
  template <typename T>
  void Must(const T& result) {
    ASSERT_TRUE(result) << result.error().Text();
  }

  void Restart() {
    writer_.reset();
    auto writer = HistoryWriter::Open(directory_, clock_);
    ASSERT_TRUE(writer) << writer.error().Text();
    writer_ = std::move(*writer);
    memory_ = {.sink = "ops"};
  }

  void Change(const std::string& key, const std::string& kind, AlertState state) {
    std::optional<Alert> newest;
    const std::vector<Alert> alerts = writer_->reader().Alerts({}).value();
    for (const Alert& alert : alerts) {
      if (alert.key == key) newest = alert;
    }
    const bool is_firing = newest && newest->state == AlertState::kFiring;
    if (is_firing == (state == AlertState::kFiring)) return;
    Alert alert = newest.value_or(Alert{});
    alert.key = key;
    ++alert.sequence;
    alert.state = state;
    if (state == AlertState::kFiring) alert.starts_at = clock_.Now();
    alert.ends_at = state == AlertState::kResolved ? clock_.Now() : 0;
    alert.resolution = state == AlertState::kResolved ? "over" : "";
    alert.finding.rule = alert.finding.kind = kind;
    alert.finding.run = "run";
    alert.finding.labels = {{"run", "run"}};
    Must(writer_->SaveAlert(alert));
  }

  void Silence() {
    couplingd::Silence silence;
    silence.matchers = {"kind=phase"};
    silence.author = "ana";
    silence.starts_at = clock_.Now();
    silence.ends_at = clock_.Now() + 7 * 24 * 3600000;
    Must(writer_->SaveSilence(silence));
  }

  void Unsilence() {
    std::vector<couplingd::Silence> silences = writer_->reader().Silences().value();
    for (couplingd::Silence& silence : silences) {
      silence.ended_by = "ana";
      Must(writer_->SaveSilence(silence));
    }
  }

  // Whoever is away may have got it all the same, so only what is acknowledged counts as heard.
  DeliveryOutcome Send(const Notification& notification) {
    if (down_) return testing::kRetry;
    const AlertNews& news = notification.news.front();
    if (!heard_.insert(notification.delivery_id).second) {
      ++repeats_;
      return testing::kDelivered;
    }
    const std::string number = " " + std::to_string((news.alert.sequence + 1) / 2);
    const bool is_firing = news.alert.state == AlertState::kFiring;
    wire_.push_back((is_firing          ? "firing"
                     : news.told_firing ? "resolved"
                                        : "fired and resolved") +
                    number);
    return testing::kDelivered;
  }

  const std::string directory_;
  ManualClock clock_{1795442700000};
  Config config_;
  std::unique_ptr<HistoryWriter> writer_;
  SinkMemory memory_;
  bool down_ = false;
  int repeats_ = 0;
  std::set<std::string> heard_;  // delivery ids
  Wire wire_;
};

std::string TextOf(const Sequence& sequence) {
  std::string text;
  for (const std::size_t step : sequence) text += std::string(kSteps[step]) + ", ";
  return text;
}

// One case per first step, so that they run beside each other.
class DeliveryModel : public ::testing::TestWithParam<std::size_t> {};

TEST_P(DeliveryModel, AgreesOnEverySequenceOfFourSteps) {
  const std::string memory_folder = "/dev/shm";
  const bool in_memory = ::access(memory_folder.c_str(), W_OK) == 0;
  const auto root = std::filesystem::path(in_memory ? memory_folder : "/tmp") /
                    ("couplingd-model-" + std::to_string(::getpid()));
  const auto fresh = root / "fresh", used = root / "used";
  std::filesystem::create_directories(root);
  { const Real prepared(fresh); }
  int disagreements = 0;
  for (std::size_t rest = 0; rest < 1000; ++rest) {
    const Sequence sequence = {GetParam(), rest / 100, rest / 10 % 10, rest % 10};
    std::filesystem::remove_all(used);
    std::filesystem::copy(fresh, used, std::filesystem::copy_options::recursive);
    Real real(used);
    Model model;
    int crashes = 0;
    for (const std::size_t step : sequence) {
      real.Step(kSteps[step]);
      model.Step(kSteps[step]);
      crashes += kSteps[step] == std::string_view("crash");
    }
    const bool agrees = real.wire() == model.wire() && real.repeats() <= crashes &&
                        real.EveryTransitionIsExplained();
    if (agrees || ++disagreements > 5) continue;
    ADD_FAILURE() << TextOf(sequence) << "heard " << ::testing::PrintToString(real.wire())
                  << " for " << ::testing::PrintToString(model.wire()) << ", " << real.repeats()
                  << " repeats";
  }
  EXPECT_EQ(disagreements, 0);
  std::filesystem::remove_all(root);
}

INSTANTIATE_TEST_SUITE_P(FirstStep, DeliveryModel, ::testing::Range(std::size_t{0}, kSteps.size()));

}  // namespace
}  // namespace couplingd
