#include "probes/evaluator/evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "base/files.h"
#include "history/score_file.h"
#include "probes/tokenizer/tokenizer.h"
#include "tests/probes/evaluator/tiny_checkpoint.h"
#include "tests/probes/model/fixtures.h"

namespace couplingd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Answer {
  Result<std::string> result;
  std::map<std::string, int> frames;  // how many of each kind
};

Answer Ask(const EvaluationSettings& settings) {
  std::map<std::string, int> frames;
  Result<std::string> result =
      Evaluate(settings, SystemClock(), [&](std::string_view frame) -> Status {
        const JsonDocument json = TRY(ParseJson(frame, "frame"));
        ++frames[TRY(GetString(json, "frame", "frame"))];
        return {};
      });
  return {std::move(result), std::move(frames)};
}

// log p(choice | context) by one pass over the whole text.
double Naive(Decoder& decoder, const Tokenizer& tokenizer, const std::string& context,
             const std::string& continuation) {
  const auto whole = tokenizer.Encode(context + continuation, false).value();
  const auto prefix = tokenizer.Encode(context, false).value();
  const auto logits = decoder.Logits(std::span(whole).first(whole.size() - 1)).value();
  const auto vocabulary = static_cast<std::size_t>(decoder.config().vocab_size);
  double sum = 0;
  for (std::size_t k = prefix.size(); k < whole.size(); ++k) {
    const float* row = logits.data() + (k - 1) * vocabulary;
    double normaliser = 0;
    for (std::size_t i = 0; i < vocabulary; ++i) {
      normaliser += std::exp(static_cast<double>(row[i]));
    }
    sum += row[whole[k]] - std::log(normaliser);
  }
  return sum;
}

TEST(Evaluation, StoresTheLogLikelihoodOfEveryChoice) {
  const TinyCheckpoint tiny;
  const Pack pack = TinyPack();
  const Answer answer = Ask(tiny.Settings(pack));
  ASSERT_TRUE(answer.result) << answer.result.error().Text();
  EXPECT_EQ(answer.frames.at("start"), 1);
  EXPECT_EQ(answer.frames.at("task"), 1);
  EXPECT_GE(answer.frames.at("progress"), 1);

  const JsonDocument frame = ParseJson(*answer.result, "result").value();
  EXPECT_EQ(GetString(frame, "model_type", "result").value(), "llama");
  EXPECT_EQ(GetString(frame, "device", "result").value(), "cpu");
  EXPECT_EQ(GetString(frame, "dtype", "result").value(), "fp32");
  const JsonValue& tokens = *FindMember(frame, "tokens");
  EXPECT_LT(GetInt(tokens, "trie", "result").value(),
            GetInt(tokens, "naive", "result").value() / 2);

  const JsonValue& result = (*FindMember(frame, "packs"))[0];
  const TaskPlan plan =
      ReadPlanFile(tiny.scores(), GetString(result, "plan_hash", "result").value()).value();
  const TaskScores scores =
      ReadScoreFile(tiny.scores(), GetString(result, "scores_hash", "result").value()).value();
  ASSERT_EQ(scores.scores.size(), pack.items.size());
  EXPECT_EQ(plan.items[3].id, pack.items[3].id);
  const LoadedDecoder loaded = LoadFixture("llama_gqa");
  const auto tokenizer = LoadTokenizer(tiny.checkpoint()).value();
  for (std::size_t i = 0; i < pack.items.size(); ++i) {
    for (std::size_t choice = 0; choice < pack.items[i].choices.size(); ++choice) {
      const double expected = Naive(*loaded.decoder, *tokenizer, pack.items[i].ContextOf(choice),
                                    pack.Continuation(pack.items[i], choice));
      EXPECT_NEAR(scores.scores[i][choice].log_likelihood, expected, 2e-4);
    }
  }
}

TEST(Evaluation, WritesSampleRowsWhenAskedTo) {
  const TinyCheckpoint tiny;
  EvaluationSettings settings = tiny.Settings(TinyPack());
  settings.samples = tiny.root() + "/samples.jsonl";
  settings.budget = ItemBudget{.items = 4};
  ASSERT_TRUE(Ask(settings).result);
  const std::string rows = ReadFile(settings.samples).value();
  EXPECT_EQ(std::ranges::count(rows, '\n'), 4);
}

TEST(Evaluation, RefusesATokenizerThatDoesNotFitTheVocabulary) {
  const TinyCheckpoint tiny;
  const std::string path = tiny.checkpoint() + "/tokenizer.json";
  std::string text = ReadFile(path).value();
  text.replace(text.find(R"("T":30)"), 6, R"("T":99)");
  WriteFileAtomically(path, text).value();
  Pack pack = TinyPack();
  pack.items[6].contexts = {"T:"};
  const Answer answer = Ask(tiny.Settings(pack));
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().kind, ErrorKind::kInvalidData);
  EXPECT_THAT(answer.result.error().message,
              AllOf(HasSubstr("token id 99"), HasSubstr("\"item-6\""), HasSubstr("has 53")));
}

TEST(Evaluation, ReportsATruncatedShardAndWritesNothing) {
  const TinyCheckpoint tiny;
  const std::string path = tiny.checkpoint() + "/model.safetensors";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 8);
  const Answer answer = Ask(tiny.Settings(TinyPack()));
  ASSERT_FALSE(answer.result);
  EXPECT_THAT(answer.result.error().message, HasSubstr("model.safetensors"));
  EXPECT_TRUE(ListDirectory(tiny.scores())->empty());
}

TEST(Evaluation, PromptsThatTheModelCannotTakeFailBeforeAnythingIsScored) {
  const TinyCheckpoint tiny;  // 64 positions, a token a character
  EvaluationSettings settings = tiny.Settings(TinyPack());
  settings.internals = true;
  const Answer answer = Ask(settings);
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().kind, ErrorKind::kInvalidData);
  EXPECT_THAT(answer.result.error().message,
              AllOf(HasSubstr("the inside of the model"), HasSubstr("the model takes 64")));
  EXPECT_THAT(answer.result.error().hint, HasSubstr("evaluation.internals"));
  EXPECT_FALSE(answer.frames.contains("start"));
}

TEST(Evaluation, StopsWhenNobodyListens) {
  const TinyCheckpoint tiny;
  int frames = 0;
  const auto result =
      Evaluate(tiny.Settings(TinyPack()), SystemClock(), [&](std::string_view) -> Status {
        return ++frames < 2 ? Status()
                            : Status(Fail(ErrorKind::kUnavailable, "nobody reads any more"));
      });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(frames, 2);
}

TEST(Evaluation, RefusesWhatItsMemoryLimitCannotHold) {
  const TinyCheckpoint tiny;
  EvaluationSettings settings = tiny.Settings(TinyPack());
  settings.memory_limit_bytes = 1 << 20;
  const Answer answer = Ask(settings);
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().kind, ErrorKind::kExhausted);
  EXPECT_THAT(answer.result.error().message,
              AllOf(HasSubstr("of 1 MiB it would take weights 1 MiB"), HasSubstr("in all")));
}

// Nobody listens any more at the `die_after`th progress; 0: somebody always does.
Result<std::string> RunUntil(const EvaluationSettings& settings, int die_after) {
  int done = 0;
  return Evaluate(settings, SystemClock(), [&](std::string_view frame) -> Status {
    if (!frame.contains(R"("frame":"progress")")) return {};
    if (++done == die_after) return Fail(ErrorKind::kCancelled, "killed");
    return {};
  });
}

std::string ScoresHashOf(const std::string& frame) {
  const JsonDocument json = ParseJson(frame, "result").value();
  return GetString((*FindMember(json, "packs"))[0], "scores_hash", "result").value();
}

TEST(Evaluation, GoesOnWhereItWasKilled) {
  const TinyCheckpoint tiny;
  EvaluationSettings settings = tiny.Settings(TinyPack());
  settings.token_budget = 16;  // several packs
  const std::string whole = *Ask(settings).result;
  ASSERT_FALSE(RunUntil(settings, 2));  // after the first pack
  const auto unfinished = [&] {
    int count = 0;
    const std::vector<std::string> names = ListDirectory(tiny.scores()).value();
    for (const std::string& name : names) {
      count += name.ends_with(".unfinished") ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(unfinished(), 1);
  const auto keep_all = [](const std::string&) { return false; };
  EXPECT_EQ(RemoveUnfinishedLogs(tiny.scores(), 0, keep_all), 0u);
  std::string asked_about;
  RemoveUnfinishedLogs(tiny.scores(), 0, [&](const std::string& checkpoint) {
    asked_about = checkpoint;
    return false;
  });
  EXPECT_EQ(asked_about, tiny.checkpoint());
  const auto resumed = RunUntil(settings, 0);
  ASSERT_TRUE(resumed) << resumed.error().Text();
  EXPECT_EQ(unfinished(), 0);
  EXPECT_EQ(ScoresHashOf(*resumed), ScoresHashOf(whole));
}

TEST(Evaluation, BeginsAnewWhereTheConfigurationHasChanged) {
  const TinyCheckpoint tiny, other;
  const auto settings_of = [](const TinyCheckpoint& checkpoint) {
    EvaluationSettings settings = checkpoint.Settings(TinyPack());
    settings.token_budget = 16;
    return settings;
  };
  const auto scale = [](const TinyCheckpoint& checkpoint) {
    const std::string path = checkpoint.checkpoint() + "/config.json";
    std::string config = ReadFile(path).value();
    const std::string from = "\"rms_norm_eps\": ";
    ASSERT_NE(config.find(from), config.npos) << config;
    config.insert(config.find(from) + from.size(), "9");
    ASSERT_TRUE(WriteFileAtomically(path, config));
  };
  ASSERT_FALSE(RunUntil(settings_of(tiny), 2));  // after the first pack
  scale(tiny);
  scale(other);
  const auto resumed = RunUntil(settings_of(tiny), 0), fresh = RunUntil(settings_of(other), 0);
  ASSERT_TRUE(resumed && fresh);
  EXPECT_EQ(ScoresHashOf(*resumed), ScoresHashOf(*fresh));
}

TEST(Evaluation, RefusesABudgetThatLeavesNothingOfAPack) {
  const TinyCheckpoint tiny;
  Pack pack = TinyPack();
  for (std::size_t i = 0; i < pack.items.size(); ++i) {
    pack.items[i].cluster = "twins-" + std::to_string(i / 2);
  }
  EvaluationSettings settings = tiny.Settings(pack);
  settings.budget = ItemBudget{.items = 1};
  const Answer answer = Ask(settings);
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(answer.result.error().message, HasSubstr("of tiny no item is left"));
}

// What an evaluation gave, and whether it encoded the packs.
struct Outcome {
  std::string scores_hash, plan_hash;
  bool has_encoded = false;
  bool operator==(const Outcome&) const = default;
};

Outcome OutcomeOf(const Result<std::string>& result) {
  EXPECT_TRUE(result) << result.error().Text();
  const JsonDocument frame = ParseJson(*result, "result").value();
  const JsonValue& pack = (*FindMember(frame, "packs"))[0];
  return {GetString(pack, "scores_hash", "").value(), GetString(pack, "plan_hash", "").value(),
          FindMember(*FindMember(frame, "seconds"), "encode") != nullptr};
}

TEST(Evaluation, PlansThePacksOnceForAllCheckpoints) {
  const TinyCheckpoint tiny;
  EvaluationSettings settings = tiny.Settings(TinyPack());
  const Outcome first = OutcomeOf(Ask(settings).result);
  EXPECT_TRUE(first.has_encoded);
  const Outcome kept{first.scores_hash, first.plan_hash, false};
  EXPECT_EQ(OutcomeOf(Ask(settings).result), kept);

  for (const auto& entry : std::filesystem::directory_iterator(tiny.scores())) {
    if (entry.path().extension() != ".planned") continue;
    std::filesystem::resize_file(entry.path(), 100);
  }
  EXPECT_EQ(OutcomeOf(Ask(settings).result), first);
  EXPECT_EQ(OutcomeOf(Ask(settings).result), kept);

  EvaluationSettings others[] = {settings, settings, settings};
  others[0].token_budget = 32;
  others[1].budget = ItemBudget{.items = 5};
  others[2].packs = {tiny.Write([] {
    Pack pack = TinyPack();
    pack.name = "other";
    return pack;
  }())};
  for (const EvaluationSettings& other : others) {
    EXPECT_TRUE(OutcomeOf(Ask(other).result).has_encoded);
  }
  const std::string tokenizer = tiny.checkpoint() + "/tokenizer.json";
  std::string text = ReadFile(tokenizer).value();
  text.replace(text.find(R"("a":2)"), 5, R"("a":3)").replace(text.find(R"("b":3)"), 5, R"("b":2)");
  ASSERT_TRUE(WriteFileAtomically(tokenizer, text));
  const Outcome another = OutcomeOf(Ask(settings).result);
  EXPECT_TRUE(another.has_encoded);
  EXPECT_NE(another.scores_hash, first.scores_hash);
}

TEST(Evaluation, SaysEveryTimeThatSequencesWereCut) {
  const TinyCheckpoint tiny;
  Pack pack = TinyPack();
  pack.items[3].contexts = {"Q: " + std::string(80, 'a')};
  const EvaluationSettings settings = tiny.Settings(pack);
  for (int time = 0; time < 2; ++time) {
    std::string notes;
    const auto result = Evaluate(settings, SystemClock(), [&](std::string_view frame) -> Status {
      if (frame.contains(R"("topic":"truncation")")) notes += frame;
      return {};
    });
    EXPECT_EQ(OutcomeOf(result).has_encoded, time == 0);
    EXPECT_THAT(notes, HasSubstr("tiny: 2 of 29 sequences are longer than the model's 64"));
  }
}

}  // namespace
}  // namespace couplingd
