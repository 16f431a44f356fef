// The real evaluator in a process that is kept.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/files.h"
#include "tests/probes/evaluator/tiny_checkpoint.h"
#include "tests/probes/worker/server.h"

namespace couplingd {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEvaluator = COUPLINGD_BINARY_DIR "/libcouplingd_evaluator.so";

// What identifies the scores, and the weights that gave them.
std::string Identity(const Answer& answer) {
  const JsonValue* result = answer.Last("result");
  const JsonValue* error = answer.Last("error");
  if (result == nullptr) return error ? (*error)["message"].GetString() : "nothing";
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

  const std::string first = tiny.RequestJson(TinyPack());
  const auto with = [&](const std::string& checkpoint, const std::string& scores) {
    std::string text = first;
    text.replace(text.find(tiny.checkpoint()), tiny.checkpoint().size(), checkpoint);
    text.replace(text.find(tiny.scores()), tiny.scores().size(), scores);
    return text.insert(1, "\"read_roots\":[\"" + tiny.root() + "\"],");
  };
  const std::string cold_scores = tiny.root() + "/cold";
  std::map<std::string, std::string> cold;
  for (const std::string& checkpoint : {tiny.checkpoint(), other}) {
    cold[checkpoint] = Identity(Evaluate(with(checkpoint, cold_scores), kEvaluator));
  }
  ASSERT_NE(cold[tiny.checkpoint()], cold[other]);

  Server server(kEvaluator);
  for (const std::string& checkpoint : {tiny.checkpoint(), other, other, tiny.checkpoint()}) {
    const Answer answer = server.Ask(with(checkpoint, tiny.scores()));
    EXPECT_EQ(Identity(answer), cold[checkpoint]);
    EXPECT_STREQ((*answer.Last("exit"))["text"].GetString(), "kept for the next evaluation");
  }
}

}  // namespace
}  // namespace couplingd
