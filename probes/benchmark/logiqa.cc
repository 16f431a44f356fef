#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "base/utf8.h"
#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

constexpr std::string_view kLetters = "abcd";

struct Question {
  std::string label, passage, question;
  std::vector<std::string> options;
};

Result<BenchmarkRow> ToRow(const Question& question, const std::string& where) {
  const std::string_view label = Strip(question.label);
  const std::size_t gold = label.size() == 1 ? kLetters.find(label[0]) : std::string_view::npos;
  if (question.options.size() != kLetters.size()) {
    return BadItem(where, fmt::format("{} options; a question has four", question.options.size()));
  }
  if (gold == std::string_view::npos) {
    return BadItem(where, fmt::format("the answer is \"{}\", not one of a, b, c, d", label));
  }
  std::string text =
      fmt::format("Passage: {}\nQuestion: {}\nChoices:\n", question.passage, question.question);
  for (std::size_t i = 0; i < question.options.size(); ++i) {
    text += fmt::format("{}. {}\n", "ABCD"[i], question.options[i]);
  }
  PackItem item = {.contexts = {text + "Answer:"}, .choices = question.options};
  item.labels = OneLabel(gold, item.choices.size());
  return BenchmarkRow{std::move(item), {}};
}

Result<BenchmarkRow> LineRow(const JsonValue& object, const std::string& where) {
  return ToRow(
      {TRY(GetString(object, "label", where)), TRY(GetString(object, "context", where)),
       TRY(GetString(object, "question", where)), TRY(GetStrings(object, "options", where))},
      where);
}

// A blank after every full stop, as lm-eval's dataset was made from the original files.
std::string Spaced(std::string_view text) {
  return std::string(Strip(ReplaceAll(text, ".", ". ")));
}

// The original file: blocks of a letter, the passage, the question and four options "A.…", with an
// empty line between them.
Result<Rows> ReadBlocks(const std::string& path) {
  const std::string text = TRY(ReadFile(path, kMaxItemFileBytes));
  TRY(CheckTextFile(text, path));
  Rows rows;
  std::vector<std::string> block;
  std::size_t number = 0, first = 1;
  const auto finish = [&]() -> Status {
    if (block.empty()) return {};
    const std::string where = fmt::format("{}:{}", path, first);
    if (block.size() != 7) {
      return BadItem(where,
                     fmt::format("a block of {} lines; a question has seven: the letter, the "
                                 "passage, the question, four options",
                                 block.size()));
    }
    Question question = {block[0], Spaced(block[1]), Spaced(block[2]), {}};
    for (std::size_t i = 3; i < block.size(); ++i) {
      question.options.push_back(
          Spaced(std::string_view(block[i]).substr(std::min<std::size_t>(2, block[i].size()))));
    }
    rows.push_back(TRY(ToRow(question, where)));
    block.clear();
    return {};
  };
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) {
      TRY(finish());
      continue;
    }
    if (block.empty()) first = number;
    block.push_back(std::move(line));
  }
  TRY(finish());
  if (rows.empty()) return BadItem(path, "no question in the file");
  return rows;
}

Result<Rows> ReadLogiqa(Paths paths) {
  return paths[0].ends_with(".txt") ? ReadBlocks(paths[0]) : ReadLineRows(paths[0], LineRow);
}

}  // namespace

Result<std::vector<Pack>> BuildLogiqa(Paths paths, const ShotRequest& shots) {
  return BuildFromRows(NewPack("logiqa", "1", {"acc", "acc_norm"}, paths, shots), paths, ReadLogiqa,
                       ShotDraw::kPlain, shots);
}

}  // namespace couplingd
