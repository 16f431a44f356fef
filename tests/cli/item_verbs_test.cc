// noise, rescore, compare and audit on the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/screen_text.h"
#include "tests/cli/no_http.h"
#include "tests/queries/item_history.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ItemVerbs : public ::testing::Test {
 protected:
  void SetUp() override {
    ItemHistory history(root_ + "/state");
    const std::vector<TaskTruth> tasks = {
        {.task = "arc", .start = -1, .slope = 0.1, .items = 800},
        {.task = "tqa", .start = 1, .slope = -0.1, .items = 800, .clusters = 20}};
    history.Add({.run = "web", .family = "web", .tasks = tasks, .folder = root_, .seed = 1});
    RunTruth curated{
        .run = "curated", .family = "curated", .tasks = tasks, .folder = root_, .seed = 2};
    curated.tasks[1].start += 0.4;
    history.Add(curated);
    services_.default_config = root_ + "/none.yaml";
  }
  int Run(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    arguments.insert(arguments.end(), {"--db", root_ + "/state"});
    return RunCli(arguments, services_, {out_, err_});
  }
  void ExpectFits() {
    std::istringstream lines(out_.str());
    for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 80u) << line;
  }

  const std::string root_ = ::testing::TempDir() + "item_verbs-" + std::to_string(::getpid());
  NoHttp http_;
  ManualClock clock_{1700000000000};
  CliServices services_{http_, clock_, {}, root_};
  std::ostringstream out_, err_;
};

TEST_F(ItemVerbs, TablesFitEightyColumnsAndJsonParses) {
  const std::vector<std::vector<std::string>> verbs = {
      {"noise"},
      {"rescore", "--run", "web"},
      {"compare", "web", "curated", "--axes", "arc.acc,tqa.acc"},
      {"audit", "web", "--axes", "arc.acc,tqa.acc"}};
  for (std::vector<std::string> verb : verbs) {
    ASSERT_EQ(Run(verb), 0) << err_.str();
    ExpectFits();
    EXPECT_GT(out_.str().size(), 200u);
    verb.push_back("--json");
    ASSERT_EQ(Run(verb), 0) << err_.str();
    EXPECT_TRUE(ParseJson(out_.str(), verb[0])) << out_.str();
    verb.back() = "--csv";
    ASSERT_EQ(Run(verb), 0) << err_.str();
    EXPECT_THAT(out_.str(), HasSubstr("\r\n"));
  }
}

TEST_F(ItemVerbs, CompareJudgesTheSecondRunAndReadsTheCheckpointsOwnFiles) {
  const auto write = [&](const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  };
  write("/web/step5767/config.json", R"({"hidden_size": 64, "rope_theta": 10000.0, "x": {}})");
  write("/curated/step5767/config.json", R"({"hidden_size": 64, "rope_theta": 500000.0})");
  write("/web/step5767/trainer_state.json",
        R"({"max_steps": 100, "log_history": [{"learning_rate": 0.001}, {"learning_rate": 0.0}]})");
  write("/curated/step5767/trainer_state.json",
        R"({"max_steps": 100, "log_history": [{"learning_rate": 0.003}]})");
  ASSERT_EQ(Run({"compare", "web", "curated", "--axes", "arc.acc,tqa.acc"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("A = web, step 5767 (5.767B tokens)"));
  EXPECT_THAT(out_.str(), HasSubstr("better *"));
  EXPECT_THAT(out_.str(), HasSubstr("rope_theta"));
  EXPECT_THAT(out_.str(), HasSubstr("500000.0"));
  EXPECT_THAT(out_.str(), HasSubstr("largest learning_rate"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("hidden_size")));
  EXPECT_THAT(out_.str(), HasSubstr("γ of arc.acc,tqa.acc"));
  EXPECT_THAT(out_.str(), HasSubstr(" lines were looked at: at 95 %"));
  ASSERT_EQ(Run({"compare", "web", "curated", "--task", "arc", "--json"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), Not(HasSubstr("\"tqa.acc\"")));
  EXPECT_EQ(Run({"compare", "web", "nobody"}), 65);
  EXPECT_THAT(err_.str(), HasSubstr("there are curated, web"));
  EXPECT_EQ(Run({"compare", "web"}), 64);
}

TEST_F(ItemVerbs, RescoreRecordsOnceAndNamesFilesThatAreGone) {
  ASSERT_EQ(Run({"rescore", "--run", "web", "--task", "arc", "--metrics", "acc_bytes", "--record"}),
            0)
      << err_.str();
  EXPECT_THAT(err_.str(), HasSubstr("recorded 10 further scores of 10 evaluations"));
  ASSERT_EQ(Run({"rescore", "--run", "web", "--task", "arc", "--metrics", "acc_bytes,true_mass",
                 "--record"}),
            0)
      << err_.str();
  EXPECT_THAT(err_.str(), HasSubstr("recorded 10 further scores of 10 evaluations"));
  ASSERT_EQ(Run({"rescore", "--run", "web", "--task", "arc", "--metrics", "acc_bytes", "--record"}),
            0);
  EXPECT_THAT(err_.str(), HasSubstr("nothing to record"));
  ASSERT_EQ(Run({"scores", "--run", "web", "--metric", "acc_bytes", "--csv"}), 0);
  EXPECT_EQ(std::ranges::count(out_.str(), '\n'), 11);
  // What was recorded has items too: a coupling can rest on it.
  ASSERT_EQ(Run({"coupling", "--run", "web", "--axes", "arc.acc_bytes,tqa.acc", "--json"}), 0)
      << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("item-bootstrap"));
  for (const auto& entry : std::filesystem::directory_iterator(root_ + "/state/scores")) {
    if (entry.path().extension() == ".plan") std::filesystem::remove(entry.path());
  }
  EXPECT_EQ(Run({"rescore", "--run", "web"}), 65);
  EXPECT_THAT(err_.str(), HasSubstr("20 could not be computed, the first because"));
  EXPECT_THAT(err_.str(), HasSubstr(".plan"));
}

TEST_F(ItemVerbs, LossesAreImportedOnceAndShownBesideTheCoupling) {
  std::ofstream file(root_ + "/loss.csv");
  file << "step,loss\n";
  for (int step = 100; step < 6000; step += 20) file << step << ',' << 2 + 30.0 / step << '\n';
  file.close();
  ASSERT_EQ(Run({"import", "loss", "web", root_ + "/loss.csv"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("loss (csv), steps 100 to 5980: 295 points recorded"));
  ASSERT_EQ(Run({"import", "loss", "web", root_ + "/loss.csv"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("already there"));
  ASSERT_EQ(Run({"loss", "--run", "web", "--axes", "arc.acc,tqa.acc"}), 0) << err_.str();
  ExpectFits();
  EXPECT_THAT(out_.str(), HasSubstr("γ shows no change of sign in this run"));
  ASSERT_EQ(Run({"loss", "--csv", "--axes", "arc.acc,tqa.acc"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("exponent_low"));
  ASSERT_EQ(Run({"coupling", "--run", "web", "--axes", "arc.acc,tqa.acc"}), 0) << err_.str();
  ExpectFits();
  EXPECT_THAT(out_.str(), HasSubstr("loss"));
  ASSERT_EQ(Run({"coupling", "--run", "curated", "--axes", "arc.acc,tqa.acc"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), Not(HasSubstr("loss")));
  EXPECT_EQ(Run({"import", "loss", "nobody", root_ + "/loss.csv"}), 65);
  EXPECT_THAT(err_.str(), HasSubstr("there is no run \"nobody\""));
  EXPECT_EQ(Run({"import", "loss", "web", root_ + "/absent.csv"}), 65);
}

}  // namespace
}  // namespace couplingd
