// What sinks heard in a trial of delivery, and whether it is what they should have heard.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "alerts/message.h"

namespace couplingd::testing {

// One message on the wire.
struct Heard {
  struct News {
    std::string key;
    std::int64_t sequence = 0;
    int repeat = 0;
    bool fires = false;
  };
  std::string sink;
  std::string id;
  std::vector<News> news;
  bool reached = false;       // the peer took it; otherwise it was an attempt only
  bool acknowledged = false;  // and the sender saw that it did
};

Heard HeardOf(const std::string& sink, const Notification& notification);

// How things stand when all has healed and nothing is left to send.
struct FinalState {
  struct Newest {
    std::string key;
    std::int64_t sequence = 0;
    bool fires = false;
  };
  std::vector<Newest> alerts;
  std::set<std::pair<std::string, std::string>> must_know;  // (sink, key) of what fires
};

struct Figures {
  std::int64_t trials = 0, kills = 0, power_losses = 0, disk_errors = 0;
  std::int64_t transitions = 0, messages = 0, failures = 0;
  // Each of these has to be 0.
  std::int64_t lost_firing = 0;     // it fires, and a sink that should know was not told
  std::int64_t lost_resolved = 0;   // it is over, and a sink that knows of it was not told
  std::int64_t out_of_order = 0;    // heard after a newer transition of the same alert
  std::int64_t changed_ids = 0;     // the same news again under another id
  std::int64_t excess_repeats = 0;  // beyond one for each crash, of one sink
  std::int64_t lost_rows = 0;       // acknowledged by the store and gone
  std::int64_t damaged = 0;         // databases that fail integrity_check or do not open
  std::int64_t unfinished = 0;      // trials whose outbox did not become empty
  // The same message again: after its acknowledgement had been seen, and after an answer that was
  // lost or torn.
  std::int64_t repeats = 0, doubtful_repeats = 0;
  std::vector<std::uint64_t> failed_seeds;  // of trials that show any of these

  Figures& operator+=(const Figures& other);
  std::int64_t violations() const;
};

// What was wrong, for people: "3 lost firing, 1 changed id", and the seeds.
std::string TextOf(const Figures& figures);

// Adds what was wrong to the figures; `crashes` of the sender. The log is in the order of arrival.
void Judge(const std::vector<Heard>& log, const FinalState& end, std::int64_t crashes,
           Figures& figures);

// The sum of `count` trials, `at_once` at a time, each with a seed of its own from options.seed on
// and a directory of that name below options.directory.
template <typename Options>
Figures SumOfTrials(const Options& options, int count, int at_once,
                    Figures (*run)(const Options&)) {
  Figures sum;
  std::mutex mutex;
  std::atomic<int> next = 0;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < std::min(at_once, count); ++thread) {
    threads.emplace_back([&] {
      for (int i; (i = next++) < count;) {
        Options one = options;
        one.seed = options.seed + static_cast<std::uint64_t>(i);
        one.directory = fmt::format("{}/{}", options.directory, one.seed);
        const Figures figures = run(one);
        const std::lock_guard lock(mutex);
        sum += figures;
        if (figures.violations() > 0) sum.failed_seeds.push_back(one.seed);
      }
    });
  }
  threads.clear();
  return sum;
}

}  // namespace couplingd::testing
