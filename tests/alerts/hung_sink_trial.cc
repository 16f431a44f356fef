#include "tests/alerts/hung_sink_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "alerts/delivery.h"
#include "base/files.h"
#include "base/json.h"
#include "tests/alerts/fault_server.h"
#include "tests/alerts/store_thread.h"

namespace couplingd::testing {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// One store with its delivery to two good sinks, and to a hung one if need be.
class Side {
 public:
  Side(const std::string& directory, const std::vector<std::pair<std::string, std::string>>& urls,
       HttpClient& http, const Clock& clock)
      : clock_(clock), store_(directory + "/state", clock) {
    std::vector<SinkConfig> configs;
    for (const auto& [name, url] : urls) {
      SinkConfig& config = configs.emplace_back();
      config.name = name;
      config.kind = "webhook";
      config.url_file = directory + "/" + name;
      config.allow_private = true;
      (void)WriteFileAtomically(config.url_file, url, 0600);
      names_.push_back(name);
    }
    std::vector<std::shared_ptr<Sink>> sinks;
    auto made = MakeSinks(configs, SinkServices{http, clock});
    if (!made) throw std::runtime_error(made.error().Text());
    for (auto& sink : *made) sinks.push_back(std::move(sink));
    loop_.emplace(std::move(sinks), store_.Executor(), clock);
    loop_->Start();
  }

  void Fire(const std::string& key) {
    store_.Do([&](HistoryWriter& writer) {
      Alert alert;
      alert.key = key;
      alert.sequence = 1;
      alert.starts_at = clock_.Now();
      alert.finding.rule = alert.finding.kind = "bad_checkpoint";
      alert.finding.run = "run";
      (void)writer.Transaction([&]() -> Status {
        TRY(writer.SaveAlert(alert));
        for (const std::string& name : names_) {
          Delivery delivery;
          delivery.sink = name;
          delivery.alert_key = key;
          delivery.sequence = 1;
          TRY(writer.AddDelivery(delivery));
        }
        return {};
      });
    });
    loop_->Wake();
  }

 private:
  const Clock& clock_;
  std::vector<std::string> names_;
  StoreThread store_;
  std::optional<DeliveryLoop> loop_;
};

// When alerts were committed and arrived. Thread-safe.
class Stopwatch {
 public:
  void Begin(const std::string& key) {
    const std::lock_guard lock(mutex_);
    begun_[key] = std::chrono::steady_clock::now();
  }
  void Arrive(const TakenMessage& message) {
    const auto now = std::chrono::steady_clock::now();
    const auto json = ParseJson(message.body, "message");
    if (!json) return;
    const std::string key = (*json)["alerts"][0]["couplingd"]["key"].GetString();
    const std::lock_guard lock(mutex_);
    auto& side = message.path.starts_with("/without") ? without_ : beside_;
    side.push_back(std::chrono::duration<double, std::milli>(now - begun_[key]).count());
  }
  bool HasAll(std::size_t expected) {
    const std::lock_guard lock(mutex_);
    return without_.size() >= expected && beside_.size() >= expected;
  }
  HungSinkFigures Read() {
    const std::lock_guard lock(mutex_);
    std::ranges::sort(without_);
    std::ranges::sort(beside_);
    return {without_, beside_, 0};
  }

 private:
  std::mutex mutex_;
  std::map<std::string, SteadyTime> begun_;
  std::vector<double> without_, beside_;
};

}  // namespace

HungSinkFigures MeasureBesideHungSink(const HungSinkOptions& options) {
  std::filesystem::remove_all(options.directory);
  for (const char* side : {"without", "beside"}) {
    std::filesystem::create_directories(options.directory + "/" + side);
  }
  Stopwatch watch;
  FaultServer good({[] { return Fault::kNone; },
                    [&](const TakenMessage& message) {
                      watch.Arrive(message);
                      return std::size_t{0};
                    },
                    [](std::size_t) {}});
  FaultServer hung({[] { return Fault::kHang; }, [](const TakenMessage&) { return std::size_t{0}; },
                    [](std::size_t) {}});
  const SystemClock clock;
  const std::unique_ptr<HttpClient> http = MakeCurlHttpClient();
  HungSinkFigures figures;
  {
    Side without(options.directory + "/without",
                 {{"one", good.Url("/without/1")}, {"two", good.Url("/without/2")}}, *http, clock);
    Side beside(options.directory + "/beside",
                {{"one", good.Url("/beside/1")},
                 {"two", good.Url("/beside/2")},
                 {"hung", hung.Url("/hung")}},
                *http, clock);
    const auto pause = std::chrono::microseconds(1'000'000 / options.per_second);
    for (int i = 0; i < options.alerts; ++i) {
      const auto fire = [&](Side& side, const std::string& name) {
        const std::string key = fmt::format("{}-{}", name, i);
        watch.Begin(key);
        side.Fire(key);
      };
      fire(without, "without");
      std::this_thread::sleep_for(pause / 2);
      fire(beside, "beside");
      std::this_thread::sleep_for(pause / 2);
    }
    const std::size_t expected = 2 * static_cast<std::size_t>(options.alerts);
    for (int waited = 0; waited < 500 && !watch.HasAll(expected); ++waited) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  figures = watch.Read();
  figures.expected = 2 * options.alerts;
  std::filesystem::remove_all(options.directory);
  return figures;
}

double Percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace couplingd::testing
