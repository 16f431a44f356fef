// verify on the command line; the causes themselves are tested in probes/benchmark/agreement_test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/screen_text.h"
#include "probes/benchmark/samples.h"
#include "tests/cli/no_http.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

class VerifyVerb : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    services_.default_config = root_ + "/none.yaml";
  }
  int Run(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    arguments.insert(arguments.begin(), "verify");
    return RunCli(arguments, services_, {out_, err_});
  }
  JsonDocument Json() {
    auto document = ParseJson(out_.str(), "output");
    EXPECT_TRUE(document) << out_.str();
    return document ? std::move(*document) : JsonDocument();
  }
  void ExpectFits() {
    std::istringstream lines(out_.str());
    for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 80u) << line;
  }
  // Our rows of the same items, every log-likelihood lower by `by`, with those of another task
  // before them as `evaluate --samples` writes several packs into one file.
  std::string Ours(double by) {
    SampledTask task = *ReadSampleScores(theirs_);
    for (auto& item : task.scores.scores) {
      for (ChoiceScore& score : item) score.log_likelihood -= by;
    }
    const std::string path = root_ + "/ours.jsonl";
    std::ofstream file(path);
    file
        << R"({"task":"piqa","doc_id":0,"doc":{},"target":"0","arguments":{"gen_args_0":{"arg_0":"a","arg_1":" b"},"gen_args_1":{"arg_0":"a","arg_1":" c"}},"resps":[[["-1","True"]],[["-2","False"]]],"filtered_resps":[["-1","True"],["-2","False"]],"filter":"none"})"
        << '\n'
        << *SampleRows(task.pack, task.scores, {});
    return path;
  }

  const std::string root_ = ::testing::TempDir() + "verify_verb-" + std::to_string(::getpid());
  const std::string theirs_ = std::string(COUPLINGD_SOURCE_DIR) +
                              "/tests/probes/benchmark/data/samples_arc_easy_2025-01-01T00-00-00."
                              "000000.jsonl";
  NoHttp http_;
  ManualClock clock_{1700000000000};
  CliServices services_{http_, clock_, {}, root_};
  std::ostringstream out_, err_;
};

TEST_F(VerifyVerb, SaysThatEverythingAgrees) {
  ASSERT_EQ(Run({"--against", theirs_, "--ours", Ours(0)}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("arc_easy: 3 items of both, 12 of 12 choices agree within "
                                    "0.001 per token"));
  ExpectFits();
}

TEST_F(VerifyVerb, NamesTheCauseOfEveryDifferenceAndWhatWouldDecideTheRest) {
  const std::string ours = Ours(0.5);
  ASSERT_EQ(Run({"--against", theirs_, "--ours", ours}), 0) << err_.str();
  ExpectFits();
  EXPECT_THAT(out_.str(), HasSubstr("0 of 12 choices agree"));
  EXPECT_THAT(out_.str(), HasSubstr("what would decide the unknown ones:\n- "));
  EXPECT_THAT(out_.str(), HasSubstr("--tokenizer DIR"));
  ASSERT_EQ(Run({"--against", theirs_, "--ours", ours, "--json"}), 0);
  const JsonDocument answer = Json();
  EXPECT_EQ(answer["choices"].GetInt(), 12);
  EXPECT_EQ(answer["agree"].GetInt(), 0);
  EXPECT_STREQ(answer["causes"][0]["cause"].GetString(), "unknown");
  EXPECT_EQ(answer["differing"].Size(), 12u);
  EXPECT_NEAR(answer["differing"][0]["difference"].GetDouble(), -0.5, 1e-9);
  const std::string tokenizer =
      std::string(COUPLINGD_SOURCE_DIR) + "/tests/probes/benchmark/data/tokenizer_bos";
  ASSERT_EQ(Run({"--against", theirs_, "--ours", ours, "--tokenizer", tokenizer, "--bos", "auto",
                 "--their-bos", "false", "--limit", "2"}),
            0)
      << err_.str();
  ExpectFits();
  EXPECT_THAT(out_.str(), HasSubstr("the 2 largest of 12 differences"));
  EXPECT_THAT(out_.str(), HasSubstr("ours begin with token 0, theirs do not"));
  ASSERT_EQ(Run({"--against", theirs_, "--ours", ours, "--csv"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("item,their_item,choice,ours,theirs,difference"));
}

TEST_F(VerifyVerb, ReadsTheResultsFileBesideTheSamples) {
  const std::string samples = root_ + "/samples_arc_easy_2025-01-01T00-00-00.0.jsonl";
  std::filesystem::copy_file(theirs_, samples);
  std::ofstream(root_ + "/results_2025-01-01T00-00-00.0.json")
      << R"({"results":{},"config":{"model_dtype":"torch.float16"}})";
  ASSERT_EQ(Run({"--against", samples, "--ours", Ours(0.02), "--dtype", "fp32"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("ours in fp32, theirs in fp16"));
}

TEST_F(VerifyVerb, RefusesWhatCannotBeCompared) {
  EXPECT_EQ(Run({"--against", theirs_}), 64);
  EXPECT_THAT(err_.str(), HasSubstr("either --ours FILE or --run NAME with --pack"));
  EXPECT_EQ(Run({"--against", theirs_, "--run", "web"}), 64);
  EXPECT_THAT(err_.str(), HasSubstr("--pack packs/NAME"));
  EXPECT_EQ(Run({"--against", root_ + "/absent.jsonl", "--ours", Ours(0)}), 65);
  EXPECT_EQ(Run({"--against", theirs_, "--ours", Ours(0), "--task", "sciq"}), 65);
  EXPECT_THAT(err_.str(), HasSubstr("no row of task \"sciq\""));
  std::ofstream(root_ + "/bad.jsonl") << "{\"doc_id\": 1}\n";
  EXPECT_EQ(Run({"--against", root_ + "/bad.jsonl", "--ours", Ours(0)}), 65);
  EXPECT_EQ(Run({"--against", theirs_, "--ours", Ours(0), "--bos", "maybe"}), 64);
  EXPECT_EQ(Run({"--against", theirs_, "--ours", Ours(0), "--tokenizer", root_}), 65);
}

}  // namespace
}  // namespace couplingd
