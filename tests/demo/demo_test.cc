// The demo as a user runs it: real training, the real daemon, real evaluations. What it shows has
// to be in the data.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "base/process.h"

namespace couplingd {
namespace {

using std::chrono::minutes;

class Demo : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    char name[] = "/tmp/couplingd-demo-test-XXXXXX";
    directory_ = ::mkdtemp(name);
    const ProcessOutput demo =
        Run({"couplingd-demo", "--directory", directory_, "--seed", "0", "--mixes", "web,curated",
             "--widths", "8,16,32,64,128", "--quiet"});
    ASSERT_TRUE(demo.exit.ok()) << demo.err << demo.out;
    shown_ = demo.out;
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(directory_); }

  static ProcessOutput Run(std::vector<std::string> arguments) {
    ProcessOptions options;
    arguments[0] = std::string(COUPLINGD_BINARY_DIR) + "/" + arguments[0];
    options.arguments = std::move(arguments);
    options.environment = MinimalEnvironment();
    const auto output = RunProcess(options, "", minutes(20));
    EXPECT_TRUE(output) << output.error().Text();
    return output.value_or(ProcessOutput{});
  }

  static JsonDocument Ask(std::vector<std::string> question) {
    std::vector<std::string> arguments = {"couplingctl", "--config",
                                          directory_ + "/couplingd.yaml"};
    arguments.insert(arguments.end(), question.begin(), question.end());
    arguments.push_back("--json");
    const ProcessOutput output = Run(arguments);
    auto json = ParseJson(output.out, "couplingctl");
    EXPECT_TRUE(json) << output.out << output.err;
    return json ? *std::move(json) : JsonDocument();
  }

  // The last estimate of a run over steps, or of a family over scale.
  static JsonDocument Newest(const std::string& selector, const std::string& name,
                             const std::string& over) {
    JsonDocument all = Ask({"coupling", selector, name, "--over", over});
    JsonDocument newest;
    EXPECT_TRUE(all.IsArray() && !all.Empty());
    if (all.IsArray() && !all.Empty()) newest.CopyFrom(all[all.Size() - 1], newest.GetAllocator());
    return newest;
  }

  static std::string directory_, shown_;
};

std::string Demo::directory_, Demo::shown_;

TEST_F(Demo, WebTextTaxesTruthfulnessOverTrainingAndOverWidth) {
  for (const JsonDocument& estimate :
       {Newest("--run", "web-64", "steps"), Newest("--family", "web", "scale")}) {
    ASSERT_TRUE(estimate.IsObject() && estimate["high"].IsNumber());
    EXPECT_LT(estimate["high"].GetDouble(), -0.1);
    EXPECT_STREQ(estimate["phase"].GetString(), "tax");
  }
}

TEST_F(Demo, CuratedTextDoesNot) {
  const JsonDocument over_steps = Ask({"coupling", "--family", "curated", "--over", "steps"});
  for (const JsonValue& estimate : over_steps.GetArray())
    EXPECT_STRNE(estimate["phase"].GetString(), "tax");
  const JsonDocument over_widths = Newest("--family", "curated", "scale");
  ASSERT_TRUE(over_widths.IsObject() && over_widths["low"].IsNumber());
  EXPECT_GT(over_widths["low"].GetDouble(), -0.1);
}

TEST_F(Demo, ThePhaseAlertOfWebArrivedAndNoneOfCurated) {
  const JsonDocument alerts = Ask({"alerts"});
  bool web = false;
  for (const JsonValue& alert : alerts.GetArray()) {
    const std::string run = alert["run"].GetString(), kind = alert["kind"].GetString();
    web |= kind == "phase" && run == "web-64";
    EXPECT_FALSE(kind == "phase" && run.starts_with("curated")) << run;
  }
  EXPECT_TRUE(web);
  EXPECT_NE(shown_.find("Alerts that arrived"), std::string::npos);
}

TEST_F(Demo, EveryCheckpointWasEvaluated) {
  const JsonDocument checkpoints = Ask({"checkpoints"});
  ASSERT_EQ(checkpoints.Size(), 2u * 5u * 12u);
  for (const JsonValue& checkpoint : checkpoints.GetArray()) {
    EXPECT_STREQ(checkpoint["state"].GetString(), "evaluated") << checkpoint["reason"].GetString();
  }
}

}  // namespace
}  // namespace couplingd
