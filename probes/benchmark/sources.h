// Packs from the benchmarks' own files, with the prompts, choices and metrics of
// lm-evaluation-harness 0.4.13.
//
//   kind           files                                                         packs
//   truthfulqa     TruthfulQA.csv                                                truthfulqa_mc1,
//   _mc2 hellaswag      hellaswag_val.jsonl arc_easy       ARC-Easy-Test.jsonl, or lines {question,
//   choices {text, label}, answerKey} arc_challenge  the same of ARC-Challenge winogrande dev.jsonl
//   {sentence, option1, option2, answer} piqa           valid.jsonl and valid-labels.lst, or lines
//   with "label" mmlu           a folder with test/*_test.csv (and dev/*_dev.csv for shots)
//
// arc_*, piqa and winogrande also take the simplified lines {query, choices, gold} and
// {context_options, continuation, gold}; a query already begins with "Question: ".
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/benchmark/pack.h"

namespace couplingd {

// Shots stand before every question. lm-eval's own number is 0 for every kind (TruthfulQA's six
// fixed pairs are part of its questions); "leaderboard-v1" takes those of the Open LLM Leaderboard
// v1: ARC-Challenge 25, HellaSwag 10, MMLU 5, WinoGrande 5, TruthfulQA 0. MMLU's are the first of
// the subject's dev file; others are drawn as lm-eval draws them (few_shot.h) from `shots_from`,
// the files of the train split in the kind's own format, and `shots_from` of MMLU is the folder of
// its dev files.
struct BuildOptions {
  std::string preset = "lm-eval";  // or "leaderboard-v1"
  std::optional<int> shots;        // in place of lm-eval's number
  std::vector<std::string> shots_from;
};

// Kinds, in the order of the table above.
std::vector<std::string_view> PackKinds();

// `paths` are the files of the kind as listed above. Errors name file:line, field and cause; what
// was built passes CheckPack. An unknown kind is kUsage and lists the kinds.
Result<std::vector<Pack>> BuildPacks(std::string_view kind, std::span<const std::string> paths,
                                     const BuildOptions& options = {});

// What a person names a pack by: a pack folder or file (LoadPack); KIND=PATH[,PATH] with a kind of
// the table, to build from a benchmark's own files on the spot (`mmlu:5=DIR` with five shots); or a
// bare TruthfulQA.csv.
Result<std::vector<Pack>> OpenPacks(const std::string& spec);

}  // namespace couplingd
