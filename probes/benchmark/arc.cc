#include <fmt/format.h>

#include <algorithm>

#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"

namespace couplingd {
namespace {

struct Options {
  std::vector<std::string> texts;
  std::vector<std::string> labels;
};

// {question: {stem, choices: [{text, label}, …]}} of the original files.
Result<Options> OptionsInList(const JsonValue& list, const std::string& where) {
  Options options;
  if (list.Size() > kMaxChoices) return BadItem(where, "too many entries in \"choices\"");
  for (const JsonValue& choice : list.GetArray()) {
    options.texts.push_back(TRY(GetString(choice, "text", where)));
    options.labels.push_back(TRY(GetString(choice, "label", where)));
  }
  return options;
}

Result<PackItem> Simplified(const JsonValue& object, const std::string& where) {
  PackItem item;
  item.contexts = {TRY(GetString(object, "query", where)) + "\nAnswer:"};
  item.choices = TRY(GetStrings(object, "choices", where));
  item.labels =
      OneLabel(TRY(GetIndex(object, "gold", item.choices.size(), where)), item.choices.size());
  return item;
}

Result<PackItem> ArcItem(const JsonValue& object, const std::string& where) {
  if (FindMember(object, "query")) return Simplified(object, where);
  const JsonValue* question = FindMember(object, "question");
  if (!question) return BadItem(where, "field \"question\" is missing");
  const bool is_original = question->IsObject();
  const JsonValue* choices = FindMember(is_original ? *question : object, "choices");
  PackItem item = {.id = TRY(FindString(object, "id", where)).value_or("")};
  Options options;
  if (is_original && choices && choices->IsArray()) {
    item.contexts = {TRY(GetString(*question, "stem", where))};
    options = TRY(OptionsInList(*choices, where));
  } else if (!is_original && choices && choices->IsObject()) {
    item.contexts = {TRY(GetString(object, "question", where))};
    options.texts = TRY(GetStrings(*choices, "text", where));
    options.labels = TRY(GetStrings(*choices, "label", where));
  } else {
    return BadItem(where,
                   "field \"choices\" must be a list of {text, label} in the question, or "
                   "{text: […], label: […]} beside it");
  }
  if (options.texts.size() != options.labels.size()) {
    return BadItem(where, fmt::format("{} texts and {} labels in \"choices\"", options.texts.size(),
                                      options.labels.size()));
  }
  const std::string answer = TRY(GetString(object, "answerKey", where));
  const auto gold = std::ranges::find(options.labels, answer);
  if (gold == options.labels.end()) {
    return BadItem(where, fmt::format("\"answerKey\" is \"{}\", which labels no choice", answer));
  }
  item.contexts[0] = "Question: " + item.contexts[0] + "\nAnswer:";
  item.labels =
      OneLabel(static_cast<std::size_t>(gold - options.labels.begin()), options.labels.size());
  item.choices = std::move(options.texts);
  return item;
}

Result<BenchmarkRow> ArcRow(const JsonValue& object, const std::string& where) {
  return BenchmarkRow{TRY(ArcItem(object, where)), {}};
}

Result<Rows> ReadArc(Paths paths) { return ReadLineRows(paths[0], ArcRow); }

}  // namespace

Result<std::vector<Pack>> BuildArcEasy(Paths paths, const ShotRequest& shots) {
  return BuildFromRows(NewPack("arc_easy", "1", {"acc", "acc_norm"}, paths, shots), paths, ReadArc,
                       ShotDraw::kPlain, shots);
}

Result<std::vector<Pack>> BuildArcChallenge(Paths paths, const ShotRequest& shots) {
  return BuildFromRows(NewPack("arc_challenge", "1", {"acc_norm", "acc"}, paths, shots), paths,
                       ReadArc, ShotDraw::kPlain, shots);
}

}  // namespace couplingd
