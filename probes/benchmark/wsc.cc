#include <fmt/format.h>

#include <algorithm>

#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

struct Span {
  std::int64_t index = 0;  // of its first word
  std::string text;
};

struct Sentence {
  std::string text;
  Span noun, pronoun;
};

std::string Recased(const std::string& span, const std::string& like) {
  std::string result = span;
  const auto is_lower = [](unsigned char c) { return c >= 'a' && c <= 'z'; };
  const auto is_upper = [](unsigned char c) { return c >= 'A' && c <= 'Z'; };
  if (is_lower(like[0]) && is_upper(result[0])) result[0] += 'a' - 'A';
  if (!is_lower(like[0]) && is_lower(result[0])) result[0] -= 'a' - 'A';
  return result;
}

// Spans of the original file that are no part of its text, set right as in the variant "wsc.fixed"
// that lm-eval evaluates: case of the first letter, full stops at the end, line breaks. Two nouns
// of the training set have words between them in the text and stay.
Status SetRight(Sentence& sentence, Span& span, const std::string& where) {
  const auto in_text = [&] { return sentence.text.find(span.text) != std::string::npos; };
  if (in_text() || span.text == "Kamenev and Zinoviev" ||
      span.text == "Kamenev, Zinoviev, and Stalin") {
    return {};
  }
  if (span.text.find("theyscold") != std::string::npos) sentence.pronoun.index = 10;
  const std::vector<std::string> words = SplitWords(sentence.text);
  if (span.index < 0 || span.index >= static_cast<std::int64_t>(words.size()) ||
      span.text.empty()) {
    return BadItem(
        where, fmt::format("the span \"{}\" at word {} is not in the text", span.text, span.index));
  }
  span.text = Recased(span.text, words[static_cast<std::size_t>(span.index)]);
  while (span.text.ends_with('.')) span.text.pop_back();
  span.text = ReplaceAll(span.text, "\n", " ");
  if (in_text()) return {};
  return BadItem(where, fmt::format("the span \"{}\" is not in the text", span.text));
}

Result<Span> ReadSpan(const JsonValue& object, const std::string& name, const std::string& where) {
  return Span{TRY(GetInt(object, name + "_index", where)),
              TRY(GetString(object, name + "_text", where))};
}

// Blanks that tokenising put around punctuation taken out, as lm-eval does it.
std::string Detokenized(std::string text) {
  for (const auto& [from, to] : {std::pair{" n't", "n't"},
                                 {" )", ")"},
                                 {"( ", "("},
                                 {"\" ", "\""},
                                 {" \"", "\""},
                                 {" '", "'"},
                                 {" .", "."},
                                 {" ,", ","}}) {
    text = ReplaceAll(text, from, to);
  }
  return text;
}

// The pronoun is the word at its index, counted in words between any white space.
std::string Marked(const Sentence& sentence) {
  const std::vector<std::string> words = SplitWords(sentence.text);
  const auto count = static_cast<std::int64_t>(words.size());
  const std::int64_t before = sentence.pronoun.index < 0
                                  ? std::max<std::int64_t>(0, count + sentence.pronoun.index)
                                  : std::min(sentence.pronoun.index, count);
  std::string head;
  for (std::int64_t i = 0; i < before; ++i) {
    head += (i == 0 ? "" : " ") + words[static_cast<std::size_t>(i)];
  }
  const std::size_t skipped = CountCodePoints(head) + CountCodePoints(sentence.pronoun.text) + 1;
  return Detokenized(fmt::format("{} *{}*{}", head, sentence.pronoun.text,
                                 DropCodePoints(sentence.text, skipped)));
}

constexpr std::string_view kKeys[] = {"idx",        "label",       "text",       "span1_index",
                                      "span1_text", "span2_index", "span2_text", "target"};

Result<std::size_t> ReadLabel(const JsonValue& object, const std::string& where) {
  const JsonValue* label = FindMember(object, "label");
  if (label && label->IsBool()) return label->GetBool() ? 1 : 0;
  return GetIndex(object, "label", 2, where);
}

Result<BenchmarkRow> WscRow(const JsonValue& object, const std::string& where) {
  const JsonValue* target = FindMember(object, "target");
  const JsonValue& spans = target ? *target : object;
  Sentence sentence = {TRY(GetString(object, "text", where)), TRY(ReadSpan(spans, "span1", where)),
                       TRY(ReadSpan(spans, "span2", where))};
  if (target) {
    TRY(SetRight(sentence, sentence.noun, where));
    TRY(SetRight(sentence, sentence.pronoun, where));
  }
  PackItem item = {.choices = {"no", "yes"}};
  item.contexts = {fmt::format(
      "Passage: {}\nQuestion: In the passage above, does the pronoun \"*{}*\" refer to \"*{}*\"?\n"
      "Answer:",
      Marked(sentence), sentence.pronoun.text, sentence.noun.text)};
  item.labels = OneLabel(TRY(ReadLabel(object, where)), 2);
  return BenchmarkRow{std::move(item), RowIdentity(object, kKeys)};
}

Result<Rows> ReadWsc(Paths paths) { return ReadLineRows(paths[0], WscRow); }

}  // namespace

Result<std::vector<Pack>> BuildWsc(Paths paths, const ShotRequest& shots) {
  return BuildFromRows(NewPack("wsc", "1", {"acc"}, paths, shots), paths, ReadWsc,
                       ShotDraw::kWithoutItself, shots);
}

}  // namespace couplingd
