// The real evaluator in a process that is kept, on the device that this program is built for.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/files.h"
#include "tests/probes/evaluator/tiny_checkpoint.h"
#include "tests/probes/worker/server.h"

namespace couplingd {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEvaluator = COUPLINGD_BINARY_DIR "/libcouplingd_evaluator.so";

std::string ErrorOf(const Answer& answer) {
  const JsonValue* error = answer.Last("error");
  return error ? (*error)["message"].GetString() : "nothing";
}

// As a process does once.
bool SaysItsSandbox(const Answer& answer) {
  return std::ranges::any_of(answer.frames, [](const JsonDocument& frame) {
    return frame.HasMember("topic") && std::string_view(frame["topic"].GetString()) == "sandbox";
  });
}

// What identifies the scores, and the weights that gave them.
std::string Identity(const Answer& answer) {
  const JsonValue* result = answer.Last("result");
  if (result == nullptr) return ErrorOf(answer);
  return std::string((*result)["weights_hash"].GetString()) + " " +
         (*result)["packs"][0]["scores_hash"].GetString();
}

TEST(KeptEvaluator, ScoresEveryCheckpointAsAProcessOfItsOwnDoes) {
  const TinyCheckpoint tiny;
  const std::string other = tiny.root() + "/checkpoint-20";
  fs::copy(tiny.checkpoint(), other);
  std::string weights = ReadFile(other + "/model.safetensors").value();
  for (std::size_t at = weights.size() - 1; at > weights.size() - 4000; at -= 4) {
    weights[at] = static_cast<char>(weights[at] ^ 0x80);  // signs
  }
  ASSERT_TRUE(WriteFileAtomically(other + "/model.safetensors", weights));

  const std::string first = tiny.RequestJson(TinyPack(), COUPLINGD_TEST_DEVICE);
  const auto with = [&](const std::string& checkpoint, const std::string& scores) {
    std::string text = first;
    text.replace(text.find(tiny.checkpoint()), tiny.checkpoint().size(), checkpoint);
    text.replace(text.find(tiny.scores()), tiny.scores().size(), scores);
    return text.insert(1, "\"read_roots\":[\"" + tiny.root() + "\"],");
  };
  const std::string cold_scores = tiny.root() + "/cold";
  std::map<std::string, std::string> cold;
  for (const std::string& checkpoint : {tiny.checkpoint(), other}) {
    Server server(kEvaluator);
    const Answer answer = server.Ask(with(checkpoint, cold_scores));
    EXPECT_TRUE(server.End().ok());
    if (ErrorOf(answer).starts_with("device cuda")) GTEST_SKIP() << ErrorOf(answer);
    cold[checkpoint] = Identity(answer);
  }
  ASSERT_NE(cold[tiny.checkpoint()], cold[other]);

  Server server(kEvaluator);
  int processes = 0;
  for (const std::string& checkpoint : {tiny.checkpoint(), other, other, tiny.checkpoint()}) {
    const Answer answer = server.Ask(with(checkpoint, tiny.scores()));
    EXPECT_EQ(Identity(answer), cold[checkpoint]);
    processes += SaysItsSandbox(answer);
    EXPECT_STREQ((*answer.Last("exit"))["text"].GetString(), "kept for the next evaluation");
  }
  EXPECT_EQ(processes, 1);
}

}  // namespace
}  // namespace couplingd
