#include "probes/worker/request.h"

#include <gmock/gmock.h>

#include "probe.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

TEST(EvaluateRequest, SettlesPathsAndDeviceAndPassesTheRestOn) {
  const Workplace place;
  std::filesystem::create_directory_symlink(place / "checkpoint", place / "latest");
  auto request = ParseEvaluateRequest(
      R"({"checkpoint":")" + place / "latest" + R"(","scores_dir":")" + place / "scores/new" +
      R"(","samples":")" + place / "elsewhere/s.jsonl" + R"(","packs":[")" +
      place / "scores/../elsewhere" +
      R"("],"threads":2,"timeout_s":7,"token_budget":4096,"bos":"auto","budget":null})");
  ASSERT_TRUE(request) << request.error().Text();
  EXPECT_EQ(request->checkpoint, place / "checkpoint");
  EXPECT_EQ(request->scores_dir, place / "scores/new");
  EXPECT_EQ(request->samples, place / "elsewhere/s.jsonl");
  EXPECT_EQ(request->packs, std::vector<std::string>{place / "elsewhere"});
  EXPECT_EQ(request->threads, 2);
  EXPECT_EQ(request->timeout_s, 7);
  request->device = "cuda:0";
  const auto json = ParseJson(request->Json(), "request");
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["checkpoint"].GetString(), place / "checkpoint");
  EXPECT_STREQ((*json)["device"].GetString(), "cuda:0");
  EXPECT_EQ((*json)["token_budget"].GetInt(), 4096);
  EXPECT_STREQ((*json)["bos"].GetString(), "auto");
  EXPECT_TRUE((*json)["tokenizer"].IsNull());
}

TEST(CanFollow, HoldsWhereTheSandboxOfTheFirstSuffices) {
  const Workplace place;
  for (const char* name : {"run/a", "run/b", "packs"}) {
    std::filesystem::create_directories(place / name);
  }
  const auto request = [&](const std::string& checkpoint, const std::string& more = "") {
    return ParseEvaluateRequest(R"({"checkpoint":")" + place / checkpoint + R"(","scores_dir":")" +
                                place / "scores" + R"(","read_roots":[")" + place / checkpoint +
                                R"(",")" + place / "run" + R"("],"packs":[")" + place / "packs" +
                                "\"]" + more + "}")
        .value();
  };
  const EvaluateRequest first = request("run/a");
  EXPECT_TRUE(CanFollow(first, request("run/a")));
  EXPECT_TRUE(CanFollow(first, request("run/b")));
  EXPECT_TRUE(CanFollow(first, request("run/b", R"(,"token_budget":7)")));
  for (const std::string& more :
       {R"(,"threads":2)" + std::string(), R"(,"memory_limit_bytes":1000000)" + std::string(),
        R"(,"tokenizer":")" + place / "elsewhere" + "\"",
        R"(,"samples":")" + place / "elsewhere/s.jsonl" + "\""}) {
    EXPECT_FALSE(CanFollow(first, request("run/b", more))) << more;
  }
  EvaluateRequest other = request("run/b");
  other.scores_dir = place / "elsewhere";
  EXPECT_FALSE(CanFollow(first, other));
  other = request("run/b");
  other.checkpoint = place / "elsewhere";
  EXPECT_FALSE(CanFollow(first, other));
  other.checkpoint = place / "run-2";  // begins alike
  EXPECT_FALSE(CanFollow(first, other));
}

TEST(EvaluateRequest, RefusesALinkOutOfTheRoots) {
  const Workplace place;
  std::filesystem::create_directory_symlink(place / "elsewhere", place / "checkpoint/step-1");
  const std::string rest = R"(","scores_dir":")" + place / "scores" + R"(","read_roots":[")";
  const std::string start = R"({"checkpoint":")" + place / "checkpoint/step-1" + rest;
  const auto refused = ParseEvaluateRequest(start + place / "checkpoint" + "\"]}");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kPermission);
  EXPECT_THAT(refused.error().message, HasSubstr("leads to " + place / "elsewhere"));
  EXPECT_TRUE(
      ParseEvaluateRequest(start + place / "checkpoint" + "\",\"" + place / "elsewhere" + "\"]}"));
}

TEST(EvaluateRequest, NamesTheFieldThatIsWrong) {
  const Workplace place;
  const std::string good =
      R"("checkpoint":")" + place / "checkpoint" + R"(","scores_dir":")" + place / "scores" + "\"";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{}", "field \"checkpoint\" is missing"},
      {"[]", "must be a JSON object"},
      {"{", "request: line 1"},
      {"{" + good + R"(,"packs":"x"})", "field \"packs\" must be an array"},
      {"{" + good + R"(,"tokenizer":"/no/such"})", "field \"tokenizer\""},
      {"{" + good + R"(,"threads":-1})", "field \"threads\" must not be negative"},
      {R"({"checkpoint":"/no/such","scores_dir":"/tmp"})", "field \"checkpoint\""},
  };
  for (const auto& [text, cause] : cases) {
    const auto request = ParseEvaluateRequest(text);
    ASSERT_FALSE(request) << text;
    EXPECT_THAT(request.error().message, HasSubstr(cause));
  }
}

}  // namespace
}  // namespace couplingd
