#include <fmt/format.h>

#include <algorithm>

#include "base/csv.h"
#include "base/files.h"
#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

constexpr std::string_view kLetters = "ABCD";

struct Question {
  std::string text;  // up to and with "Answer:"
  std::size_t gold = 0;
};

// A CSV without header: question, four choices, the letter of the right one.
Result<std::vector<Question>> ReadQuestions(const std::string& path) {
  const std::string text = TRY(ReadFile(path, kMaxItemFileBytes));
  std::vector<Question> questions;
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
    questions.push_back({fmt::format("{}\nA. {}\nB. {}\nC. {}\nD. {}\nAnswer:", Strip(f[0]), f[1],
                                     f[2], f[3], f[4]),
                         kLetters.find(f[5][0])});
  }
  if (questions.empty()) return BadItem(path, "no question in the file");
  return questions;
}

Result<std::string> Preamble(const std::string& folder, const std::string& subject, int shots) {
  std::string text =
      fmt::format("The following are multiple choice questions (with answers) about {}.\n\n",
                  ReplaceAll(subject, "_", " "));
  if (shots == 0) return text;
  const std::string path = JoinPath(JoinPath(folder, "dev"), subject + "_dev.csv");
  const std::vector<Question> examples = TRY(ReadQuestions(path));
  if (examples.size() < static_cast<std::size_t>(shots)) {
    return BadItem(path,
                   fmt::format("{} shots are asked for, {} are there", shots, examples.size()));
  }
  for (int i = 0; i < shots; ++i) {
    text += fmt::format("{} {}\n\n", examples[i].text, kLetters[examples[i].gold]);
  }
  return text;
}

}  // namespace

Result<std::vector<Pack>> BuildMmlu(Paths paths, const BuildOptions& options) {
  const std::string tests = JoinPath(paths[0], "test");
  constexpr std::string_view kSuffix = "_test.csv";
  Pack pack = NewPack("mmlu", "2", {"acc"}, paths);
  pack.fewshot.n = options.shots;
  for (const std::string& name : TRY(ListDirectory(tests))) {
    if (!name.ends_with(kSuffix)) continue;
    const std::string subject = name.substr(0, name.size() - kSuffix.size());
    const std::string preamble = TRY(Preamble(paths[0], subject, options.shots));
    for (const Question& question : TRY(ReadQuestions(JoinPath(tests, name)))) {
      PackItem item = {.cluster = subject, .choices = {"A", "B", "C", "D"}};
      item.contexts = {preamble + question.text};
      item.labels = OneLabel(question.gold, 4);
      pack.items.push_back(std::move(item));
    }
  }
  if (pack.items.empty()) {
    return BadItem(tests, "no file *_test.csv", "give the folder that holds test/ and dev/");
  }
  return std::vector{std::move(pack)};
}

}  // namespace couplingd
