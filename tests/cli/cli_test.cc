#include "cli/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/files.h"
#include "base/json.h"
#include "cli/screen_text.h"
#include "config/config.h"
#include "history/store.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

// Answers as a daemon at `socket` would, or not at all.
class FakeHttp final : public HttpClient {
 public:
  Result<HttpResponse> Send(const HttpRequest& request) override {
    if (socket.empty() || request.unix_socket != socket)
      return Fail(ErrorKind::kUnavailable, "refused");
    requests.push_back(request.method + " " + request.url.Reveal() + " " + request.body);
    if (request.url.Reveal() == "http://couplingd/-/healthy")
      return HttpResponse{.status = 200, .body = "ok\n"};
    return answer;
  }
  std::string socket;
  HttpResponse answer{.status = 200, .body = "[]"};
  std::vector<std::string> requests;
};

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    services_.environment["TMPDIR"] = root_;
    services_.default_config = root_ + "/none.yaml";
  }
  int Run(const std::vector<std::string>& arguments) {
    out_.str("");
    err_.str("");
    return RunCli(arguments, services_, {out_, err_});
  }
  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = root_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    return path;
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  const std::string root_ = ::testing::TempDir() + "cli_test-" + std::to_string(::getpid());
  FakeHttp http_;
  ManualClock clock_{1700000000000};
  CliServices services_{http_, clock_, {}, root_};
  std::ostringstream out_, err_;
};

TEST_F(CliTest, UnknownVerbsAndOptionsAreUsageErrors) {
  EXPECT_EQ(Run({"scoers"}), 64);
  EXPECT_THAT(err(), HasSubstr("there is no verb \"scoers\"; did you mean \"scores\"?"));
  EXPECT_EQ(Run({"scores", "--rnu", "a"}), 64);
  EXPECT_EQ(Run({"--db", "x", "frobnicate"}), 64);
  EXPECT_EQ(Run({}), 64);
  EXPECT_EQ(Run({"notify"}), 64);
  EXPECT_EQ(Run({"scores", "--json", "--csv"}), 64);
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(out(), HasSubstr("Examples:"));
  EXPECT_EQ(Run({"import", "lm-eval", "--help"}), 0);
  EXPECT_THAT(out(), HasSubstr("--tokens-per-step"));
  EXPECT_EQ(Run({"--version"}), 0);
}

TEST_F(CliTest, SaysWhereItLookedWhenNothingIsThere) {
  EXPECT_EQ(Run({"status"}), 65);
  EXPECT_THAT(err(), HasSubstr("no daemon and no database"));
  EXPECT_EQ(Run({"status", "--db", root_ + "/absent.db"}), 65);
  EXPECT_THAT(err(), HasSubstr("absent.db"));
  EXPECT_EQ(Run({"status", "--socket", root_ + "/s.sock"}), 69);
  EXPECT_THAT(err(), HasSubstr("no daemon answers at " + root_ + "/s.sock"));
  EXPECT_EQ(Run({"status", "--config", root_ + "/absent.yaml"}), 65);
}

TEST_F(CliTest, AsksTheDaemonAndPassesFiltersOn) {
  http_.socket = Write("s.sock", "");
  http_.answer.body = R"([{"run":"a b","task":"t","metric":"acc","value":0.5,"step":3}])";
  EXPECT_EQ(Run({"scores", "--socket", http_.socket, "--run", "a b", "--step", "1..2k", "--json"}),
            0)
      << err();
  EXPECT_EQ(http_.requests.back(), "GET http://couplingd/api/v1/scores?run=a%20b&step=1..2k ");
  EXPECT_EQ(out(),
            "[{\"run\":\"a b\",\"task\":\"t\",\"metric\":\"acc\",\"value\":0.5,\"step\":3}]\n");
}

TEST_F(CliTest, TheDaemonsErrorIsOurs) {
  http_.socket = Write("s.sock", "");
  http_.answer = {
      .status = 400,
      .body =
          R"({"error":{"kind":"usage","message":"step: \"x\" is not a number","hint":"write A..B"}})"};
  EXPECT_EQ(Run({"scores", "--socket", http_.socket, "--step", "x"}), 64);
  EXPECT_THAT(err(), HasSubstr("step: \"x\" is not a number (write A..B)"));
}

TEST_F(CliTest, GatesExitWithOneAndTwo) {
  http_.socket = Write("s.sock", "");
  http_.answer.body =
      R"([{"family":"f","run":"a","axes":"x","over":"steps","at":9,"gamma":-0.3,"low":-0.5,"high":-0.15,"phase":"tax","n":8,"reason":""}])";
  EXPECT_EQ(Run({"coupling", "--socket", http_.socket, "--gate", "phase!=tax"}), 1);
  EXPECT_EQ(Run({"coupling", "--socket", http_.socket, "--gate", "gamma>-0.2"}), 2);
  EXPECT_EQ(Run({"coupling", "--socket", http_.socket, "--gate", "gamma<0"}), 0);
  EXPECT_EQ(Run({"coupling", "--socket", http_.socket, "--gate", "gamma~0"}), 64);
}

TEST_F(CliTest, NotifyTellsTheDaemonWhatTheTrainerKnows) {
  http_.socket = Write("s.sock", "");
  http_.answer.body = "{}";
  std::filesystem::create_directories(root_ + "/out/checkpoint-500");
  EXPECT_EQ(Run({"notify", "web", root_ + "/out/checkpoint-500", "--tokens", "1.5B", "--socket",
                 http_.socket}),
            0)
      << err();
  EXPECT_EQ(http_.requests.back(),
            "POST http://couplingd/api/v1/notify {\"run\":\"web\",\"path\":\"" + root_ +
                "/out/checkpoint-500\",\"step\":500,\"tokens\":1500000000.0,\"ended\":false}");
  http_.socket.clear();
  EXPECT_EQ(Run({"notify", "web", "--ended", "--socket", root_ + "/s.sock"}), 69);
  EXPECT_THAT(err(), HasSubstr("nothing is lost"));
}

TEST_F(CliTest, ImportsCouplesAndPlotsWithoutADaemon) {
  std::string csv = "run,family,parameters,step,tokens,task,metric,value,stderr,n\n";
  for (int i = 1; i <= 12; ++i) {
    const double reasoning = 0.3 + 0.03 * i, truthfulness = 0.6 - 0.02 * i;
    for (const auto& [task, value] : {std::pair{"arc", reasoning}, {"mc", truthfulness}}) {
      csv += "web,web,1B," + std::to_string(100 << i) + "," + std::to_string(100 << i) + "M," +
             task + ",acc," + std::to_string(value) + ",0.005,1000\n";
    }
  }
  const std::string file = Write("scores.csv", csv);
  const std::string store = root_ + "/state";
  ASSERT_EQ(Run({"import", "csv", file, "--db", store + "/history.db"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("12 results: 12 recorded with 24 scores, 0 already there"));
  ASSERT_EQ(Run({"import", "csv", file, "--db", store}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("0 recorded with 0 scores, 12 already there"));
  ASSERT_EQ(Run({"scores", "--db", store, "--task", "arc", "--step", "..400", "--csv"}), 0)
      << err();
  EXPECT_THAT(
      out(),
      HasSubstr(
          "web,web,csv:web@step200,200,200000000.0,1000000000.0,arc,acc,0.33,0.005,1000\r\n"));
  ASSERT_EQ(Run({"coupling", "--db", store, "--axes", "arc.acc,mc.acc", "--gate", "phase==tax"}), 0)
      << err() << out();
  EXPECT_THAT(out(), HasSubstr("tax"));
  ASSERT_EQ(Run({"history", "--db", store, "--axes", "arc.acc,mc.acc", "--plot", "--ascii"}), 0)
      << err();
  EXPECT_THAT(out(), HasSubstr("* reasoning   o truthfulness"));
  EXPECT_THAT(out(), HasSubstr("tokens (log)"));
  EXPECT_TRUE(std::ranges::all_of(out(), [](unsigned char c) { return c < 0x80; }));
  const std::string picture = root_ + "/history.png";
  ASSERT_EQ(Run({"history", "--db", store, "--axes", "arc.acc,mc.acc", "--png", picture}), 0)
      << err();
  EXPECT_THAT(*ReadFile(picture), ::testing::StartsWith("\x89PNG"));
  EXPECT_THAT(out(), HasSubstr("2 charts in " + picture));
  for (const char* verb :
       {"status", "runs", "checkpoints", "forecast", "alerts", "deliveries", "events"}) {
    EXPECT_EQ(Run({verb, "--db", store, "--json"}), 0) << verb << err();
    EXPECT_TRUE(ParseJson(out(), verb)) << out();
  }
}

TEST_F(CliTest, ReplaysRulesOfAFileOnTheHistoryInEightyColumns) {
  const std::string config = Write("couplingd.yaml",
                                   "store: {path: state}\n"
                                   "runs: [{name: web-1b, family: web, path: runs}]\n"
                                   "axes: [{name: pair, reasoning: r.acc, truthfulness: t.acc}]\n");
  {
    ManualClock clock(services_.clock.Now() - 3'600'000);
    const auto writer = HistoryWriter::Open(root_ + "/state", clock);
    ASSERT_TRUE(writer) << writer.error().Text();
    ASSERT_TRUE((*writer)->SaveRun({.name = "web-1b", .family = "web"}));
    for (int at = 100; at <= 300; at += 100) {
      CouplingEstimate estimate{.family = "web", .run = "web-1b", .axes = "r.acc,t.acc"};
      estimate.at = at;
      estimate.gamma = at < 300 ? -0.4 : 0.4;
      estimate.evidence =
          at < 300 ? PhaseEvidence{1e-9, 1e-9, 1, 1e-9, 1} : PhaseEvidence{1e-9, 1, 1e-9, 1, 1e-9};
      ASSERT_TRUE((*writer)->SaveCoupling(estimate));
      clock.Advance(std::chrono::minutes(10));
    }
  }
  const std::string rules = Write("new.yaml",
                                  "rules:\n  - {name: tax, kind: phase, axes: pair, "
                                  "summary: \"{run} pays: γ = {gamma}\"}\n");
  ASSERT_EQ(Run({"alerts", "replay", "--config", config, "--rules", rules, "--since", "2h"}), 0)
      << err();
  EXPECT_THAT(out(), HasSubstr("web-1b pays: γ = -0.40"));
  EXPECT_THAT(out(), HasSubstr("20m"));
  EXPECT_THAT(out(), HasSubstr("did not fire"));
  EXPECT_THAT(out(), HasSubstr("1 would have fired; 0 of them fired then too"));
  std::istringstream lines(out());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 80u) << line;
  ASSERT_EQ(
      Run({"alerts", "replay", "--config", config, "--rules", rules, "--since", "2h", "--json"}),
      0);
  EXPECT_EQ(ParseJson(out(), "replay")->Size(), 1u);
  const std::string wrong = Write("wrong.yaml", "rules: [{name: r, kind: phase, axes: other}]\n");
  EXPECT_EQ(Run({"alerts", "replay", "--config", config, "--rules", wrong, "--since", "2h"}), 65);
  EXPECT_THAT(err(), HasSubstr("no axis pair is called \"other\""));
  EXPECT_EQ(Run({"alerts", "replay", "--config", config, "--since", "soon"}), 64);
  EXPECT_THAT(err(), HasSubstr("--since: \"soon\" is neither a span nor a time"));
}

TEST_F(CliTest, FrontierShowsTheShippedTableInEightyColumns) {
  ASSERT_EQ(Run({"frontier"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("GPQA Diamond = 0.513 [0.34, 0.69] × SWE-bench Verified + 46.4"));
  EXPECT_THAT(out(), HasSubstr("published predictions"));
  std::istringstream lines(out());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 80u) << line;
  ASSERT_EQ(Run({"frontier", "--json"}), 0) << err();
  const auto json = ParseJson(out(), "frontier");
  ASSERT_TRUE(json) << json.error().Text();
  EXPECT_EQ((*json)["models"].Size(), 39u);
  EXPECT_EQ((*json)["predictions"].Size(), 7u);
  ASSERT_EQ(Run({"frontier", "--csv"}), 0) << err();
  EXPECT_THAT(out(), ::testing::StartsWith("name,lab,date,x,y,h,low,high,side,fitted,"));
}

TEST_F(CliTest, FrontierReadsATableOfOnesOwn) {
  const std::string table = Write("own.csv",
                                  "name,lab,date,swe,gpqa\nA,L,2025-01,50,60\nB,L,2025-03,60,66\n"
                                  "C,M,2025-05,70,71\nD,M,2025-07,80,83\nE,N,2025-09,30,50\n");
  EXPECT_EQ(Run({"frontier", "--table", table, "--x", "swe", "--y", "gpqa"}), 65);
  EXPECT_THAT(err(), HasSubstr("--percent reads percent"));
  ASSERT_EQ(
      Run({"frontier", "--table", table, "--x", "swe", "--y", "gpqa", "--percent", "--top", "3"}),
      0)
      << err();
  EXPECT_THAT(out(), HasSubstr("models of 3 labs"));
  EXPECT_EQ(Run({"frontier", "--x", "swe"}), 64);
  const std::string flat = Write("flat.csv",
                                 "name,lab,x,y\nA,L,0.5,0.6\nB,L,0.5,0.7\nC,M,0.5,0.8\n"
                                 "D,M,0.5,0.9\n");
  EXPECT_EQ(Run({"frontier", "--table", flat}), 65);
  EXPECT_THAT(err(), HasSubstr("flat.csv: a line needs places that differ"));
  EXPECT_EQ(Run({"frontier", "--table", root_ + "/absent.csv"}), 65);
}

TEST_F(CliTest, AWriterThatHoldsTheLockIsNamed) {
  auto writer = HistoryWriter::Open(root_ + "/state", clock_);
  ASSERT_TRUE(writer) << writer.error().Text();
  const std::string file = Write("scores.csv", "run,task,metric,value\na,t,acc,0.5\n");
  EXPECT_EQ(Run({"import", "csv", file, "--db", root_ + "/state"}), 69);
  EXPECT_THAT(err(), HasSubstr(std::to_string(::getpid())));
}

TEST_F(CliTest, CheckConfigListsProblemsAndInitWritesAFileThatReads) {
  const std::string bad = Write("bad.yaml", "stroe: {}\nlog_level: loud\n");
  EXPECT_EQ(Run({"check-config", bad}), 65);
  EXPECT_THAT(err(), HasSubstr("bad.yaml:1: stroe: unknown key (did you mean \"store\"?)\n"));
  EXPECT_THAT(err(), HasSubstr("bad.yaml:2: log_level"));
  Write("out/web/checkpoint-5/model.safetensors", "");
  const std::string made = root_ + "/made.yaml";
  EXPECT_EQ(Run({"init", root_ + "/out/web", "-o", made, "--store", root_ + "/state"}), 0) << err();
  EXPECT_THAT(err(), HasSubstr("note: "));
  const auto config = LoadConfig(made);
  ASSERT_TRUE(config) << config.error().Text();
  EXPECT_EQ(config->runs[0].path, root_ + "/out/web");
  EXPECT_EQ(Run({"init", root_ + "/out/web", "-o", made}), 69);
  EXPECT_EQ(Run({"init", root_ + "/absent"}), 65);
}

// A stand-in for couplingd-probe that speaks its frames.
TEST_F(CliTest, EvaluateFollowsTheProbeAndRecords) {
  const std::string probe = Write("couplingd-probe", R"SH(#!/bin/sh
cat > "$(dirname "$0")/request.json"
echo '{"frame":"progress","done":1,"total":2,"task":"arc"}'
echo '{"frame":"result","weights_hash":"w","tokenizer_hash":"t","model_type":"llama","device":"cpu","dtype":"fp32","bos":"false","scorer":"1","parameters":1000,"d_model":8,"packs":[{"name":"arc","hash":"h","plan_hash":"p","scores_hash":"s","scores":[{"task":"arc","metric":"acc","value":0.5,"stderr":0.05,"n":100}]}]}'
echo '{"frame":"exit","code":0,"signal":0,"text":"exit code 0"}'
)SH");
  std::filesystem::permissions(probe, std::filesystem::perms::owner_all);
  std::filesystem::create_directories(root_ + "/out/checkpoint-7");
  const std::string pack =
      Write("mine.jsonl", "{\"context\":\"a\",\"choices\":[\" b\",\" c\"],\"gold\":0}\n");
  ASSERT_EQ(Run({"evaluate", root_ + "/out/checkpoint-7", "--pack", pack, "--json", "--budget",
                 "9items", "--samples", root_ + "/samples.jsonl", "--record", "--db",
                 root_ + "/state", "--gate", "arc.acc>=0.3"}),
            0)
      << err();
  const auto answer = ParseJson(out(), "answer");
  ASSERT_TRUE(answer) << out();
  EXPECT_EQ(JsonWriter().Value((*answer)["scores"][0]).Text(),
            "{\"run\":\"out\",\"family\":\"out\",\"checkpoint\":\"" + root_ +
                "/out/"
                "checkpoint-7\",\"step\":7,\"tokens\":null,\"parameters\":1000.0,\"task\":\"arc\","
                "\"metric\":\"acc\","
                "\"value\":0.5,\"stderr\":0.05,\"n\":100}");
  const auto request = ParseJsonFile(root_ + "/request.json");
  ASSERT_TRUE(request);
  EXPECT_EQ(GetString(*request, "budget", ""), "9items");
  EXPECT_EQ(GetString(*request, "samples", ""), root_ + "/samples.jsonl");
  EXPECT_EQ((*request)["packs"][0].GetString(), pack);
  EXPECT_THAT(err(), HasSubstr("recorded as run out step 7: 1 new"));
  EXPECT_EQ(Run({"evaluate", root_ + "/out/checkpoint-7", "--pack", pack, "--budget", "9"}), 65);
  EXPECT_THAT(err(), HasSubstr("\"9\" is not a budget (write a number of items such as 500items"));
  ASSERT_EQ(Run({"scores", "--db", root_ + "/state"}), 0);
  EXPECT_THAT(out(), HasSubstr("50.00%"));
  EXPECT_EQ(Run({"evaluate", root_ + "/out/checkpoint-7", "--pack", "absent"}), 65);
  EXPECT_EQ(
      Run({"evaluate", root_ + "/out/checkpoint-7", "--pack", pack, "--probe", root_ + "/none"}),
      65);
  EXPECT_EQ(Run({"evaluate", root_ + "/out", "--pack", pack, "--record", "--db", root_ + "/state"}),
            64);
}

TEST_F(CliTest, InternalsShowsLayersRecordsThemAndFindsThemAgain) {
  const std::string probe = Write("couplingd-probe", R"SH(#!/bin/sh
cat > "$(dirname "$0")/request.json"
echo '{"frame":"result","weights_hash":"w","tokenizer_hash":"t","model_type":"gpt2","device":"cpu","dtype":"fp32","bos":"auto","scorer":"1","parameters":1000,"d_model":8,"packs":[{"name":"internals:p","hash":"h","plan_hash":"","scores_hash":"","scores":[{"task":"internals:p","metric":"layer_coupling_l1","value":0.75,"stderr":0.05,"n":100}]}],"report":{"internals":{"protocol":"p","layers":[{"layer":1,"coupling":{"value":0.75,"low":0.7,"high":0.8},"relabelled":{"mean":0.98},"reinitialised":0.2,"verdict":"stands","competing_heads":2,"d_rep":{"value":7.25}}],"competing_heads":{"count":2,"of":4,"relabelled":{"mean":0.5,"low":0,"high":1},"reinitialised":0}}}}'
echo '{"frame":"exit","code":0,"signal":0,"text":"exit code 0"}'
)SH");
  std::filesystem::permissions(probe, std::filesystem::perms::owner_all);
  const std::string checkpoint = root_ + "/out/checkpoint-7";
  std::filesystem::create_directories(checkpoint);
  ASSERT_EQ(Run({"internals", checkpoint, "--probe", probe, "--record", "--db", root_ + "/state"}),
            0)
      << err();
  EXPECT_THAT(out(), HasSubstr("[0.70, 0.80]"));
  EXPECT_THAT(out(), HasSubstr("stands"));
  EXPECT_THAT(out(), HasSubstr("2 of 4 heads compete"));
  EXPECT_THAT(ReadFile(root_ + "/request.json").value(), HasSubstr(R"("task":"internals")"));
  ASSERT_EQ(Run({"internals", "out", "--db", root_ + "/state"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("0.75"));
  EXPECT_THAT(out(), HasSubstr("run out at step 7, from the history"));
  EXPECT_EQ(Run({"internals", "absent", "--db", root_ + "/state"}), 65);
  EXPECT_THAT(err(), HasSubstr("no run of that name has internals"));
}

TEST_F(CliTest, SteerRefusesWhatMakesNoSense) {
  const std::string empty = Write("empty.txt", "\n  \n");
  const std::string some = Write("some.txt", "What?\n");
  EXPECT_EQ(Run({"steer", "--checkpoint", root_}), 64);
  EXPECT_THAT(err(), HasSubstr("add --prompt, --sweep or --grade"));
  EXPECT_EQ(Run({"steer", "--checkpoint", root_, "--sweep", empty}), 65);
  EXPECT_THAT(err(), HasSubstr("empty.txt: there is no prompt in it"));
  EXPECT_EQ(Run({"steer", "--checkpoint", root_, "--sweep", some, "--sample"}), 64);
  EXPECT_EQ(Run({"steer", "--checkpoint", root_, "--prompt", "x", "--record"}), 64);
  EXPECT_THAT(err(), HasSubstr("add --grade"));
}

TEST_F(CliTest, EvaluateTellsHowAProbeFailed) {
  const std::string probe = Write("couplingd-probe", R"SH(#!/bin/sh
echo '{"frame":"error","kind":"invalid_data","message":"model.safetensors: truncated","hint":"","retryable":false}'
echo '{"frame":"exit","code":65,"signal":0,"text":"exit code 65"}'
)SH");
  std::filesystem::permissions(probe, std::filesystem::perms::owner_all);
  std::filesystem::create_directories(root_ + "/model");
  const std::string pack = Write("mine.jsonl", "{}\n");
  EXPECT_EQ(Run({"evaluate", root_ + "/model", "--pack", pack}), 65);
  EXPECT_THAT(err(), HasSubstr("model.safetensors: truncated"));
}

TEST_F(CliTest, PanelListsPublishedScoresWithSourceAndFlaws) {
  EXPECT_EQ(Run({"panel", "--family", "Pythia"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("Pythia-12B"));
  EXPECT_THAT(out(), HasSubstr("two-versions (8 of 8 rows, kept)"));
  EXPECT_EQ(Run({"panel", "--json"}), 0);
  EXPECT_EQ(ParseJson(out(), "out")->Size(), 60u);
  EXPECT_EQ(Run({"panel", "--as-published", "--json"}), 0);
  const auto rows = ParseJson(out(), "out");
  EXPECT_EQ(rows->Size(), 63u);
  EXPECT_NEAR((*rows)[0]["hellaswag"].GetDouble(), 0.3715, 1e-12);
  EXPECT_EQ(Run({"panel", "--table", "bootstrap", "--csv"}), 0);
  EXPECT_THAT(out(), ::testing::StartsWith("model,family,parameters,"));
  EXPECT_EQ(Run({"panel", "--family", "Pythai"}), 64);
  EXPECT_THAT(err(), HasSubstr("families are BLOOM"));
  EXPECT_EQ(Run({"panel", "--table", "none"}), 64);
  EXPECT_EQ(Run({"panel", "--cleaned", "--as-published"}), 64);
}

TEST_F(CliTest, ReproduceShowsPublishedBesideRecomputed) {
  EXPECT_EQ(Run({"reproduce", "--row", "1", "3", "--json"}), 0) << err();
  const auto rows = ParseJson(out(), "out");
  ASSERT_TRUE(rows);
  EXPECT_EQ((*rows)[0]["id"].GetInt(), 1);
  EXPECT_STREQ((*rows)[0]["verdict"].GetString(), "holds");
  EXPECT_NEAR((*rows)[0]["recomputed"].GetDouble(), -0.989, 0.001);
  EXPECT_EQ(Run({"reproduce", "--row", "3", "--replicates", "1000"}), 0);
  EXPECT_THAT(out(), HasSubstr("weak"));
  EXPECT_EQ(Run({"reproduce", "--row", "99"}), 64);
  EXPECT_THAT(err(), HasSubstr("there is no row 99 (rows are 1, 2, 3"));
}

}  // namespace
}  // namespace couplingd
