// A disk for SQLite that loses what was not synced when its power fails, and that can be full or
// broken for a moment. It wraps SQLite's own file system: every write since a file's last sync is
// remembered with what it replaced, and a power failure takes a random part of those writes back,
// sector by sector.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace couplingd {

struct FaultDiskOptions {
  std::uint64_t seed = 1;
  // Databases are opened with "PRAGMA synchronous = NORMAL", whatever the program asks for: the
  // control, which has to lose what was acknowledged.
  bool normal_synchronous = false;
};

// While it exists, the databases that are opened on this thread lie on it; one at a time per
// thread. They must be closed before it goes.
class FaultDisk {
 public:
  explicit FaultDisk(const FaultDiskOptions& options);
  ~FaultDisk();
  FaultDisk(const FaultDisk&) = delete;
  FaultDisk& operator=(const FaultDisk&) = delete;

  // The machine stops at the write, truncation, sync or deletion that is `operations` ahead: it and
  // everything after it fail until Restart().
  void FailPowerAfter(int operations) { left_ = operations; }
  // It stops now.
  void Stop() { is_down_ = true; }
  bool is_down() const { return is_down_; }
  // The share of writes and syncs that fail with a full disk or an I/O error.
  void SetErrorRate(double rate) { error_rate_ = rate; }

  // To be called once every database on it is closed. With `lose`, what was not synced is lost in
  // part.
  void Restart(bool lose);

  std::int64_t writes_lost() const { return writes_lost_; }
  std::int64_t errors() const { return errors_; }

 private:
  friend struct FaultDiskAccess;
  struct Undo {
    std::int64_t offset = 0, length = 0;
    std::string before;  // what lay there, as far as the file reached
    std::int64_t size_before = 0, size_after = 0;
  };
  enum class Verdict { kGoOn, kDown, kFull, kBroken };

  // What becomes of the next operation that changes something.
  Verdict Judge();
  void Remember(const std::string& path, Undo undo) { unsynced_[path].push_back(std::move(undo)); }
  void LoseSomeOf(const std::string& path, const std::vector<Undo>& writes);

  const FaultDiskOptions options_;
  std::mt19937_64 random_;
  std::map<std::string, std::vector<Undo>> unsynced_;  // by path
  int left_ = 0;                                       // operations until the power fails; 0: never
  bool is_down_ = false;
  double error_rate_ = 0;
  std::int64_t writes_lost_ = 0;
  std::int64_t errors_ = 0;
};

// What PRAGMA integrity_check says of the database: "ok", or its first complaint.
std::string CheckIntegrity(const std::string& database);

}  // namespace couplingd
