#include <fmt/format.h>

#include <map>

#include "base/csv.h"
#include "base/files.h"
#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

constexpr std::string_view kLetters = "ABCD";

// A CSV without header: question, four choices, the letter of the right one.
Result<Rows> ReadQuestions(const std::string& path) {
  const std::string text = TRY(ReadFile(path, kMaxItemFileBytes));
  Rows questions;
  for (const CsvRow& row : TRY(ParseCsv(text, path))) {
    const std::string where = fmt::format("{}:{}", path, row.line);
    const std::vector<std::string>& f = row.fields;
    if (f.size() != 6) {
      return BadItem(
          where,
          fmt::format("{} fields; a question has six: question, A, B, C, D, answer", f.size()));
    }
    if (f[5].size() != 1 || kLetters.find(f[5][0]) == std::string_view::npos) {
      return BadItem(where, fmt::format("the answer is \"{}\", not one of A, B, C, D", f[5]));
    }
    PackItem item = {.choices = {"A", "B", "C", "D"}};
    item.contexts = {fmt::format("{}\nA. {}\nB. {}\nC. {}\nD. {}\nAnswer:", Strip(f[0]), f[1], f[2],
                                 f[3], f[4])};
    item.labels = OneLabel(kLetters.find(f[5][0]), 4);
    questions.push_back({std::move(item), {}});
  }
  if (questions.empty()) return BadItem(path, "no question in the file");
  return questions;
}

std::string Description(const std::string& subject) {
  return fmt::format("The following are multiple choice questions (with answers) about {}.\n\n",
                     ReplaceAll(subject, "_", " "));
}

// The first questions of the subject's dev file in their order, with their answers.
Result<std::string> FirstShots(const Pack& pack, const std::string& folder,
                               const std::string& subject) {
  std::string text;
  if (pack.fewshot.n == 0) return text;
  const std::string path = JoinPath(folder, subject + "_dev.csv");
  const Rows examples = TRY(ReadQuestions(path));
  if (examples.size() < static_cast<std::size_t>(pack.fewshot.n)) {
    return BadItem(
        path, fmt::format("{} shots are asked for, {} are there", pack.fewshot.n, examples.size()));
  }
  for (int i = 0; i < pack.fewshot.n; ++i) text += ShotText(pack, examples[i].item);
  return text;
}

}  // namespace

Result<std::vector<Pack>> BuildMmlu(Paths paths, const ShotRequest& shots) {
  const std::string tests = JoinPath(paths[0], "test");
  const std::string examples = shots.from.empty() ? JoinPath(paths[0], "dev") : shots.from[0];
  constexpr std::string_view kSuffix = "_test.csv";
  Pack pack = NewPack("mmlu", "2", {"acc"}, paths, shots);
  pack.fewshot.n = shots.n;
  std::map<std::string, std::string> shots_of;  // by subject
  for (const std::string& name : TRY(ListDirectory(tests))) {
    if (!name.ends_with(kSuffix)) continue;
    const std::string subject = name.substr(0, name.size() - kSuffix.size());
    shots_of[subject] = TRY(FirstShots(pack, examples, subject));
    for (BenchmarkRow& row : TRY(ReadQuestions(JoinPath(tests, name)))) {
      row.item.cluster = subject;
      row.item.contexts[0].insert(0, Description(subject));
      pack.items.push_back(std::move(row.item));
    }
  }
  if (pack.items.empty()) {
    return BadItem(tests, "no file *_test.csv", "give the folder that holds test/ and dev/");
  }
  FillItemIds(pack.items);
  for (PackItem& item : pack.items) {
    item.contexts[0].insert(Description(item.cluster).size(), shots_of[item.cluster]);
  }
  return std::vector{std::move(pack)};
}

}  // namespace couplingd
