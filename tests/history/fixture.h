// What the tests of the history share: a temporary store, example nouns, and texts to compare them
// by.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "history/store.h"

namespace couplingd {

inline constexpr UnixMillis kStart = 1'800'000'000'000;

// A directory of its own that goes away with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class HistoryTest : public testing::Test {
 protected:
  using Run = couplingd::Run;  // testing::Test has a private one
  std::string Directory() const { return directory_.path() + "/store"; }
  std::string Database() const { return Directory() + "/history.db"; }
  std::unique_ptr<HistoryWriter> OpenWriter();
  std::unique_ptr<HistoryReader> OpenReader() const;

  ManualClock clock_{kStart};

 private:
  TemporaryDirectory directory_;
};

Run ExampleRun(const std::string& name);
Checkpoint ExampleCheckpoint(std::int64_t run_id, std::int64_t step);
Evaluation ExampleEvaluation(std::int64_t checkpoint_id);
CouplingEstimate ExampleCoupling();
Forecast ExampleForecast();
Alert ExampleAlert(const std::string& key, std::int64_t sequence, AlertState state);

// Every field, doubles to the bit.
std::string Describe(const Run& run);
std::string Describe(const Checkpoint& checkpoint);
std::string Describe(const Evaluation& evaluation);
std::string Describe(const Score& score);
std::string Describe(const CouplingEstimate& estimate);
std::string Describe(const Forecast& forecast);
std::string Describe(const Alert& alert);

// Runs `body` in a child process and returns what it returned; a child that dies gives "killed by
// signal N".
std::string InChild(const std::function<std::string()>& body);

// Runs `body` in a child process that sees a file system of `bytes` in memory at `directory` (which
// must exist). Returns kNoMount where this machine allows no mounts to tests.
inline constexpr std::string_view kNoMount = "no mount";
std::string InChildWithFileSystem(const std::string& directory, std::int64_t bytes,
                                  const std::function<std::string()>& body);
// Within such a child: makes it read-only.
bool MakeReadOnly(const std::string& directory);

// The value, or a failed test with the error's text.
template <typename T>
T Must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().Text();
    return T{};
  }
  return std::move(*result);
}
inline void Must(const Status& status) { EXPECT_TRUE(status) << status.error().Text(); }

// The kind and message of the error, or "no error".
template <typename T>
std::string ErrorText(const Result<T>& result) {
  if (result) return "no error";
  return std::string(ToString(result.error().kind)) + ": " + result.error().Text();
}

}  // namespace couplingd
