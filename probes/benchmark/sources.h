// Packs from the benchmarks' own files, with the prompts, choices and metrics of
// lm-evaluation-harness 0.4.13.
//
//   kind           files                                                               packs
//   truthfulqa     TruthfulQA.csv truthfulqa_mc1, truthfulqa_mc2 hellaswag      hellaswag_val.jsonl
//   hellaswag arc_easy       ARC-Easy-Test.jsonl, or {question, choices {text, label}, answerKey}
//   arc_easy arc_challenge  the same of ARC-Challenge arc_challenge winogrande     dev.jsonl
//   {sentence, option1, option2, answer}                      winogrande piqa           valid.jsonl
//   and valid-labels.lst, or lines with "label"             piqa mmlu           a folder with
//   test/*_test.csv (and dev/*_dev.csv for shots)         mmlu
//
// arc_*, piqa and winogrande also take the simplified lines {query, choices, gold} and
// {context_options, continuation, gold}; a query already begins with "Question: ".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/benchmark/pack.h"

namespace couplingd {

struct BuildOptions {
  int shots =
      0;  // mmlu: the first n of the subject's dev file, in order; other kinds are zero-shot
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
