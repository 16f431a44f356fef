#include "probes/internals/prompts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "base/json.h"
#include "probes/internals/prompts_text.h"

namespace couplingd {
namespace {

constexpr std::size_t kFewest = 2;
constexpr std::size_t kQuoted = 60;

Error EntryError(std::string_view source, std::string_view field, std::size_t index,
                 std::string_view what) {
  return {ErrorKind::kInvalidData, fmt::format("{}: {}[{}] {}", source, field, index, what)};
}

// Every entry as `width` texts, none of them empty.
Result<std::vector<std::vector<std::string>>> Entries(const JsonValue& json, std::string_view field,
                                                      std::size_t width, std::string_view source) {
  const JsonValue* array = FindMember(json, field);
  if (array == nullptr || !array->IsArray() || array->Size() < kFewest) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: field \"{}\" must be an array of at least {} entries", source,
                            field, kFewest));
  }
  std::vector<std::vector<std::string>> entries;
  for (const JsonValue& value : array->GetArray()) {
    const std::size_t index = entries.size();
    std::vector<std::string>& entry = entries.emplace_back();
    const auto take = [&](const JsonValue& text) {
      if (text.IsString()) entry.emplace_back(text.GetString(), text.GetStringLength());
    };
    if (width == 1) {
      take(value);
    } else if (value.IsArray()) {
      for (const JsonValue& text : value.GetArray()) take(text);
    }
    const bool has_gap = std::ranges::any_of(entry, &std::string::empty);
    if (entry.size() != width || has_gap) {
      return std::unexpected(
          EntryError(source, field, index, fmt::format("must hold {} texts", width)));
    }
  }
  return entries;
}

Result<std::vector<std::string>> Prompts(const JsonValue& json, std::string_view field,
                                         const std::string& suffix, std::string_view source) {
  std::vector<std::string> prompts;
  for (const auto& entry : TRY(Entries(json, field, 1, source))) {
    prompts.push_back(entry[0] + suffix);
  }
  return prompts;
}

Result<Pack> Items(const JsonValue& json, std::string_view field, const PromptSet& set,
                   std::string_view source) {
  Pack pack{
      .name = std::string(field), .version = set.name, .metrics = {"acc_norm"}, .delimiter = " "};
  for (const auto& entry : TRY(Entries(json, field, 3, source))) {
    pack.items.push_back({.id = fmt::format("{}-{}", field, pack.items.size()),
                          .contexts = {entry[0] + set.suffix},
                          .choices = {entry[1], entry[2]},
                          .labels = {true, false}});
  }
  TRY(CheckPack(pack, source));
  return pack;
}

std::string Quoted(const std::string& text) {
  return text.size() <= kQuoted ? text : text.substr(0, kQuoted) + "…";
}

}  // namespace

Result<PromptSet> ParsePromptSet(std::string_view json_text, std::string_view source) {
  const JsonDocument json = TRY(ParseJson(json_text, source));
  PromptSet set;
  set.name = fmt::format("{}-{}", TRY(GetString(json, "name", source)),
                         TRY(GetString(json, "version", source)));
  set.hash = HashHex(json_text);
  set.suffix = TRY(GetString(json, "suffix", source));
  set.reasoning = TRY(Prompts(json, "reasoning", set.suffix, source));
  set.truthfulness = TRY(Prompts(json, "truthfulness", set.suffix, source));
  set.neutral = TRY(Prompts(json, "neutral", set.suffix, source));
  for (const auto& entry : TRY(Entries(json, "statements", 2, source))) {
    set.statements.push_back({entry[0], entry[1]});
  }
  set.truth_items = TRY(Items(json, "truth_items", set, source));
  set.reasoning_items = TRY(Items(json, "reasoning_items", set, source));
  return set;
}

Result<PromptSet> BuiltInPrompts() {
  return ParsePromptSet(PromptsText("prompts.json"), "prompts.json");
}

Result<std::vector<std::vector<TokenId>>> EncodeTexts(const std::vector<std::string>& texts,
                                                      const Tokenizer& tokenizer,
                                                      const EncodeOptions& options,
                                                      std::int64_t vocabulary) {
  std::vector<std::vector<TokenId>> encoded;
  for (const std::string& text : texts) {
    Result<std::vector<TokenId>> ids = EncodeContext(text, tokenizer, options);
    if (!ids) {
      return std::unexpected(ids.error().Within(fmt::format("the text \"{}\"", Quoted(text))));
    }
    for (const TokenId id : *ids) {
      if (id >= 0 && id < vocabulary) continue;
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("the tokenizer does not fit the model: it gives token id {} for "
                              "\"{}\", and the vocabulary has {}",
                              id, Quoted(text), vocabulary),
                  "name the tokenizer that the model was trained with");
    }
    encoded.push_back(std::move(*ids));
  }
  return encoded;
}

}  // namespace couplingd
