#include "daemon/readiness.h"

#include <algorithm>

namespace couplingd {

bool ReadinessTracker::Observe(const Candidate& candidate, UnixMillis now) {
  auto [entry, is_new] = seen_.try_emplace(candidate.path);
  Seen& seen = entry->second;
  if (is_new || seen.fingerprint != candidate.fingerprint) {
    seen = Seen{candidate.fingerprint, now, 0, false, seen.waived};
  }
  if (seen.settled || now < seen.not_before) return false;
  return seen.waived || now - seen.unchanged_since >= quiet_.count();
}

void ReadinessTracker::Settle(const std::string& path, const std::string& fingerprint) {
  Seen& seen = seen_[path];
  seen.settled = seen.fingerprint == fingerprint;
  seen.waived = false;
}

void ReadinessTracker::Recheck(const std::string& path, UnixMillis now,
                               std::chrono::milliseconds delay) {
  Seen& seen = seen_[path];
  seen.not_before = now + delay.count();
  seen.waived = false;
}

void ReadinessTracker::Waive(const std::string& path) {
  Seen& seen = seen_[path];
  seen.waived = true;
  seen.settled = false;
  seen.not_before = 0;
}

std::vector<std::string> ReadinessTracker::Retain(const std::set<std::string>& present) {
  std::vector<std::string> gone;
  for (const auto& [path, seen] : seen_) {
    if (!present.contains(path)) gone.push_back(path);
  }
  for (const std::string& path : gone) seen_.erase(path);
  return gone;
}

std::set<std::string> ReadinessTracker::Unsettled() const {
  std::set<std::string> paths;
  for (const auto& [path, seen] : seen_) {
    if (!seen.settled) paths.insert(path);
  }
  return paths;
}

bool ReadinessTracker::AllAsked() const {
  return std::all_of(seen_.begin(), seen_.end(), [](const auto& entry) {
    return entry.second.settled || entry.second.not_before > 0;
  });
}

}  // namespace couplingd
