// pack build, show, check and list on the command line.
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

namespace couplingd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PackVerbs : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    services_.default_config = root_ + "/none.yaml";
  }
  int Run(const std::vector<std::string>& arguments) {
    out_.str("");
    err_.str("");
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
  static std::string Data(const std::string& name) {
    return std::string(COUPLINGD_SOURCE_DIR) + "/tests/probes/benchmark/data/" + name;
  }
  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = root_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    return path;
  }

  const std::string root_ = ::testing::TempDir() + "pack_verbs-" + std::to_string(::getpid());
  NoHttp http_;
  ManualClock clock_{1700000000000};
  CliServices services_{http_, clock_, {}, root_};
  std::ostringstream out_, err_;
};

TEST_F(PackVerbs, BuildDrawsTheShotsOfAPresetAndSaysWhatItMade) {
  const std::string rows = Data("prompts/winogrande-leaderboard-v1-generated/");
  ASSERT_EQ(Run({"pack", "build", "winogrande", rows + "evaluated.jsonl", "--fewshot",
                 "leaderboard-v1", "--fewshot-from", rows + "shots/train.jsonl", "--out", root_}),
            0)
      << err_.str();
  ExpectFits();
  EXPECT_THAT(out_.str(), HasSubstr("winogrande: 3 items, metrics acc, version 1, 5 shots, hash"));
  EXPECT_THAT(out_.str(), HasSubstr("not the whole benchmark: 3 items, winogrande has 1267"));
  EXPECT_EQ(Run({"pack", "build", "winogrande", rows + "evaluated.jsonl", "--fewshot",
                 "leaderboard-v1", "--out", root_}),
            64);
  EXPECT_THAT(err_.str(), HasSubstr("--fewshot-from"));
  EXPECT_EQ(Run({"pack", "build", "ifeval", rows + "evaluated.jsonl", "--out", root_}), 65);
  EXPECT_THAT(err_.str(), HasSubstr("missing: generated text"));
  EXPECT_EQ(Run({"pack", "build", "squad", rows + "evaluated.jsonl", "--out", root_}), 64);
}

TEST_F(PackVerbs, CheckSaysThatAPartIsNotTheBenchmark) {
  ASSERT_EQ(Run({"pack", "check", "arc_easy=" + Data("arc_hub.jsonl")}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("not the whole benchmark: 3 items, arc_easy has 2376"));
  ASSERT_EQ(Run({"pack", "check", "arc_easy=" + Data("arc_hub.jsonl"), "--json"}), 0);
  const JsonDocument rows = Json();
  EXPECT_EQ(rows[0]["items"].GetInt(), 3);
  EXPECT_EQ(rows[0]["benchmark_items"].GetInt(), 2376);
  EXPECT_EQ(rows[0]["choices"]["least"].GetInt(), 3);
  EXPECT_EQ(rows[0]["choices"]["most"].GetInt(), 5);
  EXPECT_STREQ(rows[0]["fewshot"]["preset"].GetString(), "lm-eval");
  EXPECT_THAT(rows[0]["warning"].GetString(), HasSubstr("not comparable"));
  const std::string own = Write("own.jsonl", R"({"context":"a","choices":[" b"," c"],"gold":0})");
  ASSERT_EQ(Run({"pack", "check", own, "--json"}), 0);
  EXPECT_TRUE(Json()[0]["benchmark_items"].IsNull());
  EXPECT_TRUE(Json()[0]["warning"].IsNull());
}

TEST_F(PackVerbs, ListNamesEveryPackOfAFolderInEightyColumns) {
  ASSERT_EQ(Run({"pack", "build", "truthfulqa", Data("truthfulqa.csv"), "-o", root_}), 0);
  ASSERT_EQ(Run({"pack", "build", "mmlu", Data("mmlu"), "--shots", "2", "-o", root_}), 0);
  std::filesystem::create_directories(root_ + "/no-pack");
  ASSERT_EQ(Run({"pack", "list", root_}), 0) << err_.str();
  ExpectFits();
  EXPECT_THAT(out_.str(), HasSubstr("truthfulqa_mc2"));
  EXPECT_THAT(out_.str(), HasSubstr("2 lm-eval"));
  EXPECT_THAT(out_.str(), HasSubstr("mmlu has 14042"));
  ASSERT_EQ(Run({"pack", "list", root_, "--json"}), 0);
  EXPECT_EQ(Json().Size(), 3u);
  EXPECT_EQ(Json()[0]["path"].GetString(), root_ + "/mmlu");
  ASSERT_EQ(Run({"pack", "list", root_, "--csv"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("name,version,items"));
  ASSERT_EQ(Run({"pack", "list", root_ + "/mmlu", "--json"}), 0) << "a pack itself";
  EXPECT_EQ(Json().Size(), 1u);
  EXPECT_EQ(Run({"pack", "list", root_ + "/absent"}), 65);
  Write("broken/pack.json", "{");
  EXPECT_EQ(Run({"pack", "list", root_}), 65);
  EXPECT_THAT(out_.str(), HasSubstr("truthfulqa_mc2"));
  EXPECT_THAT(err_.str(), HasSubstr("broken/pack.json"));
}

TEST_F(PackVerbs, ShowPrintsTextsWhereThereIsNoTokenizer) {
  ASSERT_EQ(Run({"pack", "show", "winogrande=" + Data("winogrande_dev.jsonl")}), 0) << err_.str();
  ExpectFits();
  EXPECT_THAT(out_.str(), HasSubstr("item INVENTED0AAA-1, place 0 of 3, cluster INVENTED0AAA"));
  EXPECT_THAT(out_.str(), HasSubstr("context of choice 1"));
  EXPECT_THAT(out_.str(), HasSubstr("---- choice 0, right: scored is \" was too wide.\", 13"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("tokens")));
  ASSERT_EQ(Run({"pack", "show", "winogrande=" + Data("winogrande_dev.jsonl"), "2", "--json"}), 0);
  const JsonDocument shown = Json();
  EXPECT_STREQ(shown["item"].GetString(), "INVENTED0BBB-1");
  EXPECT_EQ(shown["place"].GetInt(), 2);
  EXPECT_TRUE(shown["choices"][0]["tokens"].IsNull());
  EXPECT_TRUE(shown["choices"][1]["right"].GetBool());
  ASSERT_EQ(Run({"pack", "show", Data("truthfulqa.csv"), "--task", "truthfulqa_mc2"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("truthfulqa_mc2 3: item"));
}

// The second item of the fixture encodings.jsonl: the blank at the context's end is scored.
TEST_F(PackVerbs, ShowPrintsTheTokensWithTheBoundaryBetweenContextAndContinuation) {
  const std::string pack = Write(
      "own.jsonl", "{\"context\":\"The answer \",\"choices\":[\"is that\",\"was\"],\"gold\":0}");
  ASSERT_EQ(Run({"pack", "show", pack, "--tokenizer", Data("tokenizer_bos"), "--json"}), 0)
      << err_.str();
  const JsonDocument shown = Json();
  const JsonValue& choice = shown["choices"][0];
  const auto text = [&](int from, int to) {
    std::string joined;
    for (int i = from; i < to; ++i) {
      joined += choice["tokens"][static_cast<rapidjson::SizeType>(i)]["text"].GetString();
    }
    return joined;
  };
  const int scored_from = choice["scored_from"].GetInt();
  const int size = static_cast<int>(choice["tokens"].Size());
  EXPECT_EQ(text(0, scored_from), "<s>The answer");
  EXPECT_EQ(text(scored_from, size), " is that");
  EXPECT_FALSE(choice["truncated"].GetBool());
  ASSERT_EQ(Run({"pack", "show", pack, "--tokenizer", Data("tokenizer_bos")}), 0);
  ExpectFits();
  EXPECT_THAT(out_.str(), HasSubstr("its last 1 blank goes to the continuation"));
  EXPECT_THAT(out_.str(), HasSubstr("0 \"<s>\""));
  ASSERT_EQ(Run({"pack", "show", pack, "--tokenizer", Data("tokenizer_bos"), "--bos", "false"}), 0);
  EXPECT_THAT(out_.str(), Not(HasSubstr("\"<s>\"")));
  ASSERT_EQ(Run({"pack", "show", pack, "--tokenizer", Data("tokenizer_bos"), "--max-length", "2"}),
            0)
      << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("cut on the left"));
}

TEST_F(PackVerbs, ShowRefusesWhatIsNotThere) {
  const std::string pack = "winogrande=" + Data("winogrande_dev.jsonl");
  EXPECT_EQ(Run({"pack", "show", pack, "3"}), 65);
  EXPECT_THAT(err_.str(),
              HasSubstr("winogrande has no item \"3\" (name an id, or a place from 0 to 2)"));
  EXPECT_EQ(Run({"pack", "show", pack, "--task", "piqa"}), 65);
  EXPECT_THAT(err_.str(), HasSubstr("it gives winogrande"));
  EXPECT_EQ(Run({"pack", "show", pack, "--tokenizer", root_}), 65);
  EXPECT_EQ(Run({"pack", "show", pack, "--bos", "maybe"}), 64);
  EXPECT_EQ(Run({"pack", "show", root_ + "/absent"}), 65);
}

}  // namespace
}  // namespace couplingd
