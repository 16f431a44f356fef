#include <fmt/format.h>

#include <algorithm>

#include "base/csv.h"
#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/python_random.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

// lm-eval shuffles the answers with Python's own generator, which it seeds with 0 as it starts.
constexpr std::uint32_t kSeed = 0;
constexpr const char* kAnswers[] = {"Incorrect Answer 1", "Incorrect Answer 2",
                                    "Incorrect Answer 3", "Correct Answer"};

std::string Clean(std::string_view text) {
  if (text.empty()) return " ";
  return ReplaceAll(ReplaceAll(Strip(text), " [title]", ". "), "  ", " ");
}

PackItem QuestionItem(const std::string& question, std::vector<std::string> answers,
                      PythonRandom& random) {
  const std::string right = answers.back();
  random.Shuffle(answers);
  PackItem item = {.choices = {"(A)", "(B)", "(C)", "(D)"}};
  item.contexts = {fmt::format(
      "What is the correct answer to this question:{}\nChoices:\n(A) {}\n(B) {}\n(C) {}\n(D) {}\n"
      "Answer:",
      question, answers[0], answers[1], answers[2], answers[3])};
  const auto gold = std::ranges::find(answers, right) - answers.begin();
  item.labels = OneLabel(static_cast<std::size_t>(gold), answers.size());
  return item;
}

Result<Rows> ReadGpqa(Paths paths) {
  const CsvTable table = TRY(CsvTable::Read(paths[0]));
  const std::size_t question = TRY(table.Column("Question"));
  const Result<std::size_t> id = table.Column("Record ID");
  const Result<std::size_t> domain = table.Column("High-level domain");
  std::vector<std::size_t> columns;
  for (const char* name : kAnswers) columns.push_back(TRY(table.Column(name)));
  PythonRandom random(kSeed);
  Rows rows;
  for (const CsvRow& row : table.rows()) {
    std::vector<std::string> answers;
    for (const std::size_t column : columns) answers.push_back(Clean(row.fields[column]));
    PackItem item = QuestionItem(row.fields[question], std::move(answers), random);
    if (id) item.id = row.fields[*id];
    if (domain) item.cluster = row.fields[*domain];
    rows.push_back({std::move(item), {}});
  }
  if (rows.empty()) return BadItem(paths[0], "no question in the file");
  return rows;
}

}  // namespace

Result<std::vector<Pack>> BuildGpqaDiamond(Paths paths, const ShotRequest& shots) {
  return BuildFromRows(NewPack("gpqa_diamond_zeroshot", "2.2", {"acc", "acc_norm"}, paths, shots),
                       paths, ReadGpqa, ShotDraw::kPlain, shots);
}

}  // namespace couplingd
