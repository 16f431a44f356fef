#include "queries/import_lm_eval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "queries/model_names.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

const std::string kPythia = COUPLINGD_SOURCE_DIR "/../shared/data/pythia/lm-eval";

const Score* Find(const ImportedResult& result, const std::string& task,
                  const std::string& metric) {
  for (const Score& score : result.evaluation.scores) {
    if (score.task == task && score.metric == metric) return &score;
  }
  return nullptr;
}

// The keys and shapes that lm-evaluation-harness 0.4.13 writes, with made-up numbers.
constexpr const char* kPresentForm = R"({
  "results": {
    "arc_easy": {"alias": "arc_easy", "sample_len": 100, "acc,none": 0.5, "acc_stderr,none": 0.05,
                 "acc_norm,none": 0.45, "acc_norm_stderr,none": "N/A"},
    "gsm8k": {"alias": "gsm8k", "exact_match,strict-match": 0.1, "exact_match_stderr,strict-match": 0.01,
              "exact_match,flexible-extract": 0.2, "exact_match_stderr,flexible-extract": 0.02},
    "mmlu": {"alias": " - mmlu", "acc,none": 0.3, "acc_stderr,none": 0.01, "sample_count": {"acc": 10}},
    "wikitext": {"word_perplexity,none": NaN, "word_perplexity_stderr,none": "N/A", "alias": "wikitext"},
    "tinyBenchmarks": {"alias": "tinyBenchmarks", " ": " "}
  },
  "groups": {"mmlu": {"alias": " - mmlu", "acc,none": 0.3}},
  "n-shot": {"arc_easy": 0, "gsm8k": 5, "mmlu": 5},
  "n-samples": {"arc_easy": {"original": 2376, "effective": 100}},
  "configs": {},
  "config": {"model": "hf", "model_args": {"pretrained": "/runs/web-1b/checkpoint-500", "dtype": "auto"},
             "model_num_parameters": 1234, "model_dtype": "torch.bfloat16", "limit": 100.0},
  "date": 1732200000.5, "lm_eval_version": "0.4.13"
})";

TEST(ImportLmEval, ReadsThePresentForm) {
  const auto batch = ParseLmEval(kPresentForm, "/out/results_2026.json", 7, {});
  ASSERT_TRUE(batch) << batch.error().Text();
  ASSERT_EQ(batch->results.size(), 2u);
  const ImportedResult& zero = batch->results[0];
  EXPECT_EQ(zero.run.name, "web-1b");
  EXPECT_EQ(zero.run.family, "web");
  EXPECT_EQ(zero.run.parameters, 1234);
  EXPECT_EQ(zero.step, 500);
  EXPECT_FALSE(zero.tokens);
  EXPECT_EQ(zero.evaluation.harness, "imported:lm-eval:0.4.13:0shot");
  EXPECT_EQ(zero.evaluation.series_key, "imported:lm-eval:0.4.13:0shot|limit=100|bf16");
  EXPECT_EQ(zero.evaluation.finished_at, 1732200000500);
  const Score* acc = Find(zero, "arc_easy", "acc");
  ASSERT_TRUE(acc);
  EXPECT_EQ(acc->value, 0.5);
  EXPECT_EQ(acc->stderr_value, 0.05);
  EXPECT_EQ(acc->n, 100);
  EXPECT_FALSE(Find(zero, "arc_easy", "acc_norm")->stderr_value);
  EXPECT_FALSE(Find(zero, "arc_easy", "sample_len"));
  const ImportedResult& five = batch->results[1];
  EXPECT_EQ(five.evaluation.harness, "imported:lm-eval:0.4.13:5shot");
  EXPECT_EQ(Find(five, "gsm8k", "exact_match:flexible-extract")->stderr_value, 0.02);
  EXPECT_TRUE(Find(five, "mmlu", "acc"));
  EXPECT_EQ(five.evaluation.scores.size(), 3u);
  ASSERT_EQ(batch->notes.size(), 1u);
  EXPECT_THAT(batch->notes[0], HasSubstr("wikitext.word_perplexity is nan: left out"));
}

TEST(ImportLmEval, SaysWhatAFileLacks) {
  const auto error = [](const std::string& text, const ImportOptions& options = {}) {
    const auto batch = ParseLmEval(text, "/out/r.json", 0, options);
    return batch ? "accepted" : batch.error().Text();
  };
  EXPECT_THAT(error("{}"), HasSubstr("/out/r.json: no results file of lm-eval"));
  EXPECT_THAT(error("{\"results\": "), HasSubstr("/out/r.json: line 1"));
  EXPECT_THAT(
      error(R"({"results": {"a": 1}, "config": {"model_args": "pretrained=m,revision=step1"}})"),
      HasSubstr("results of a are no object"));
  const std::string no_step =
      R"({"results": {"a": {"acc": 0.5}}, "config": {"model_args": "pretrained=o/m-1b"}})";
  EXPECT_THAT(error(no_step),
              HasSubstr("at which step o/m-1b was evaluated (add --step N, or --final"));
  const auto batch = ParseLmEval(no_step, "/out/r.json", 0, {.final = true});
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->results[0].step, 1);
  EXPECT_EQ(batch->results[0].run.family, "m");
}

TEST(ImportLmEval, RecognisesPythiaAndLeavesOtherNamesAlone) {
  const NamedModel pythia = RecogniseModel("EleutherAI/pythia-v1.1-1b-bf16");
  EXPECT_EQ(pythia.run, "pythia-1b");
  EXPECT_EQ(pythia.parameters, 1011781632);
  EXPECT_EQ(pythia.tokens_per_step, 2097152);
  EXPECT_EQ(RecogniseModel("EleutherAI/pythia-70m-deduped").family, "pythia-deduped");
  EXPECT_FALSE(RecogniseModel("EleutherAI/pythia-160m-v0").parameters);
  EXPECT_FALSE(RecogniseModel("me/pythia-70m-tuned").tokens_per_step);
  EXPECT_EQ(RecogniseModel("meta-llama/Llama-3.2-1B").family, "Llama-3.2");
  EXPECT_EQ(RecogniseModel("/runs/a/checkpoint-5").run, "a");
}

// Untied embeddings, and per layer the attention (4d² + 4d), the feed-forward (8d² + 5d) and two
// norms (4d), with depth, width and padded vocabulary of the published configurations.
TEST(ImportLmEval, CountsThePythiasParametersAsTheirConfigurationsDo) {
  struct Architecture {
    const char* model;
    double layers, width, vocabulary;
  };
  for (const auto& [model, layers, width, vocabulary] :
       {Architecture{"pythia-70m", 6, 512, 50304}, Architecture{"pythia-160m", 12, 768, 50304},
        Architecture{"pythia-410m", 24, 1024, 50304}, Architecture{"pythia-1b", 16, 2048, 50304},
        Architecture{"pythia-1.4b", 24, 2048, 50304}, Architecture{"pythia-2.8b", 32, 2560, 50304},
        Architecture{"pythia-6.9b", 32, 4096, 50432},
        Architecture{"pythia-12b", 36, 5120, 50688}}) {
    const NamedModel named = RecogniseModel(model);
    EXPECT_EQ(named.parameters,
              2 * vocabulary * width + layers * (12 * width * width + 13 * width) + 2 * width)
        << model;
    EXPECT_EQ(named.d_model, static_cast<int>(width)) << model;
    EXPECT_EQ(named.tokens_per_step, 1024 * 2048) << model;
  }
}

TEST(ImportLmEval, ReadsTheWholePythiaHistory) {
  if (!std::filesystem::exists(kPythia))
    GTEST_SKIP() << "the real Pythia results are not on this machine";
  const auto batch = ReadLmEval({kPythia}, {});
  ASSERT_TRUE(batch) << batch.error().Text();
  ASSERT_EQ(batch->results.size(), 216u);
  std::map<std::string, std::set<std::int64_t>> steps;
  std::set<std::string> series;
  for (const ImportedResult& result : batch->results) {
    steps[result.run.name].insert(result.step);
    series.insert(result.evaluation.series_key);
    EXPECT_EQ(result.run.family, "pythia");
  }
  EXPECT_EQ(steps.size(), 8u);
  for (const auto& [run, of_run] : steps) EXPECT_EQ(of_run.size(), 27u) << run;
  EXPECT_EQ(series, std::set<std::string>{"imported:lm-eval:legacy:0shot"});
  // Four files of the 1B model are named 5-shot and say num_fewshot 0.
  EXPECT_EQ(batch->notes.size(), 4u);
}

TEST(ImportLmEval, KeepsPythiasNumbersToTheLastDigit) {
  const std::string file = kPythia + "/pythia-12b/12b_step143000.json";
  if (!std::filesystem::exists(file))
    GTEST_SKIP() << "the real Pythia results are not on this machine";
  const auto batch = ReadLmEval({file}, {});
  ASSERT_TRUE(batch) << batch.error().Text();
  const ImportedResult& result = batch->results.at(0);
  EXPECT_EQ(result.run.name, "pythia-12b");
  EXPECT_EQ(result.run.d_model, 5120);
  EXPECT_EQ(result.tokens, 143000.0 * 2097152);
  EXPECT_EQ(result.checkpoint, "hf:EleutherAI/pythia-v1.1-12b@step143000");
  EXPECT_EQ(Find(result, "arc_easy", "acc")->value, 0.7024410774410774);
  EXPECT_EQ(Find(result, "winogrande", "acc")->stderr_value, 0.013496064394234017);
  EXPECT_EQ(Find(result, "lambada_openai", "ppl")->value, 3.9236415916124625);
  EXPECT_EQ(Find(result, "crows_pairs_english", "unstereotyped")->value, 1 - 0.6481812760882528);
  EXPECT_EQ(Find(result, "crows_pairs_english", "unstereotyped")->stderr_value,
            0.011664623030327854);
}

TEST(ImportLmEval, RefusesOneNameForSeveralModels) {
  if (!std::filesystem::exists(kPythia))
    GTEST_SKIP() << "the real Pythia results are not on this machine";
  const auto batch = ReadLmEval({kPythia}, {.run = "one"});
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace couplingd
