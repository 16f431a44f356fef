// Runs couplingd-probe as the daemon does.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/process.h"

namespace couplingd {

inline std::string ProbePath() { return std::string(COUPLINGD_BINARY_DIR) + "/couplingd-probe"; }
inline std::string ModulePath(std::string_view name) {
  return std::string(COUPLINGD_TEST_MODULES) + "/" + std::string(name) + ".so";
}

// A directory with what a request needs: checkpoint/, scores/, elsewhere/.
class Workplace {
 public:
  Workplace() {
    std::string path = (std::filesystem::temp_directory_path() / "couplingd-test-XXXXXX").string();
    path_ = std::filesystem::canonical(::mkdtemp(path.data())).string();
    for (const char* name : {"checkpoint", "scores", "elsewhere"})
      std::filesystem::create_directory(*this / name);
  }
  ~Workplace() { std::filesystem::remove_all(path_); }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

  // A request for the fake evaluator; `more` are further members, such as R"("timeout_s":1)".
  std::string Request(std::string_view behaviour, const std::string& more = "") const {
    JsonWriter json;
    json.BeginObject()
        .Field("checkpoint", *this / "checkpoint")
        .Field("scores_dir", *this / "scores");
    json.Field("device", "cpu").Field("behaviour", behaviour).EndObject();
    std::string text = json.Text();
    if (!more.empty()) text.replace(text.size() - 1, 1, "," + more + "}");
    return text;
  }

 private:
  std::string path_;
};

struct Answer {
  ExitStatus exit;
  std::string err;
  std::vector<JsonDocument> frames;

  // The last frame of this kind, or nullptr.
  const JsonValue* Last(std::string_view kind) const {
    for (std::size_t i = frames.size(); i-- > 0;) {
      if (frames[i]["frame"].GetString() == kind) return &frames[i];
    }
    return nullptr;
  }
  std::size_t Count(std::string_view kind) const {
    std::size_t count = 0;
    for (const JsonDocument& frame : frames) count += frame["frame"].GetString() == kind;
    return count;
  }
  std::string Seen() const {
    const JsonValue* result = Last("result");
    return result ? (*result)["seen"].GetString() : "no result";
  }
};

inline Answer Evaluate(const std::string& request,
                       const std::string& evaluator = ModulePath("fake_evaluator"),
                       std::vector<std::string> environment = {}) {
  ProcessOptions options;
  options.arguments = {ProbePath(), "evaluate", "--evaluator",
                       evaluator,   "--nvml",   ModulePath("fake_nvml")};
  options.environment = MinimalEnvironment();
  options.environment.insert(options.environment.end(), environment.begin(), environment.end());
  const auto run = RunProcess(options, request, std::chrono::seconds(60), 1u << 30);
  EXPECT_TRUE(run) << run.error().Text();
  Answer answer;
  if (!run) return answer;
  answer.exit = run->exit;
  answer.err = run->err;
  for (std::size_t at = 0; at < run->out.size();) {
    const std::size_t end = run->out.find('\n', at);
    EXPECT_NE(end, std::string::npos) << "the last line is whole";
    auto frame = ParseJson(std::string_view(run->out).substr(at, end - at), "frame");
    EXPECT_TRUE(frame) << run->out.substr(at, 200);
    if (!frame || end == std::string::npos) break;
    answer.frames.push_back(std::move(*frame));
    at = end + 1;
  }
  EXPECT_FALSE(answer.frames.empty());
  if (!answer.frames.empty()) {
    EXPECT_STREQ(answer.frames.back()["frame"].GetString(), "exit");
  }
  return answer;
}

}  // namespace couplingd
