#include "probes/tokenizer/post_processor.h"

#include <fmt/format.h>

#include <optional>

#include "probes/tokenizer/component.h"

namespace couplingd {
namespace {

using PostProcessorPointer = std::unique_ptr<PostProcessor>;

// Puts the text's ids (a part without ids) among fixed ones.
class TemplateProcessor final : public PostProcessor {
 public:
  struct Part {
    bool is_text = false;
    std::vector<TokenId> ids;
  };

  explicit TemplateProcessor(std::vector<Part> parts) : parts_(std::move(parts)) {}

  std::vector<TokenId> Apply(std::vector<TokenId> ids, bool add_special_tokens) const override {
    std::vector<TokenId> processed;
    for (const Part& part : parts_) {
      if (part.is_text) {
        processed.insert(processed.end(), ids.begin(), ids.end());
      } else if (add_special_tokens) {
        processed.insert(processed.end(), part.ids.begin(), part.ids.end());
      }
    }
    return processed;
  }

  void ListSpecialIds(std::vector<TokenId>& ids) const override {
    for (const Part& part : parts_) ids.insert(ids.end(), part.ids.begin(), part.ids.end());
  }

 private:
  const std::vector<Part> parts_;
};

class ProcessorSequence final : public PostProcessor {
 public:
  explicit ProcessorSequence(std::vector<PostProcessorPointer> steps) : steps_(std::move(steps)) {}

  std::vector<TokenId> Apply(std::vector<TokenId> ids, bool add_special_tokens) const override {
    for (const auto& step : steps_) ids = step->Apply(std::move(ids), add_special_tokens);
    return ids;
  }

  void ListSpecialIds(std::vector<TokenId>& ids) const override {
    for (const auto& step : steps_) step->ListSpecialIds(ids);
  }

 private:
  const std::vector<PostProcessorPointer> steps_;
};

Result<TokenId> ToTokenId(const JsonValue& json, const std::string& where) {
  if (!json.IsInt64() || json.GetInt64() < 0 || json.GetInt64() > INT32_MAX) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} must be a token id", where));
  }
  return static_cast<TokenId>(json.GetInt64());
}

// special_tokens[name].ids
Result<std::vector<TokenId>> FindTemplateIds(const JsonValue& json, const std::string& name,
                                             const std::string& where) {
  const JsonValue* tokens = FindMember(json, "special_tokens");
  const JsonValue* token = tokens ? FindMember(*tokens, name) : nullptr;
  const JsonValue* list = token ? FindMember(*token, "ids") : nullptr;
  if (!list || !list->IsArray()) {
    return Fail(
        ErrorKind::kInvalidData,
        fmt::format("{}: the template uses \"{}\", which \"special_tokens\" gives no ids for",
                    where, name));
  }
  std::vector<TokenId> ids;
  for (const JsonValue& id : list->GetArray()) {
    ids.push_back(TRY(
        ToTokenId(id, fmt::format("{}.special_tokens[\"{}\"].ids[{}]", where, name, ids.size()))));
  }
  return ids;
}

Result<TemplateProcessor::Part> ParsePart(const JsonValue& json, const JsonValue& piece,
                                          const std::string& where) {
  if (const JsonValue* token = FindMember(piece, "SpecialToken")) {
    const std::string name = TRY(GetString(*token, "id", where));
    return TemplateProcessor::Part{false, TRY(FindTemplateIds(json, name, where))};
  }
  const JsonValue* sequence = FindMember(piece, "Sequence");
  if (!sequence || TRY(GetString(*sequence, "id", where)) != "A") {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{}: a part of the template for single texts is neither a SpecialToken "
                            "nor the Sequence A",
                            where));
  }
  return TemplateProcessor::Part{true, {}};
}

Result<PostProcessorPointer> BuildTemplate(const JsonValue& json, const std::string& where) {
  std::vector<TemplateProcessor::Part> parts;
  for (const auto& [piece, place] : TRY(ComponentList(json, "single", where))) {
    parts.push_back(TRY(ParsePart(json, *piece, where)));
  }
  return std::make_unique<TemplateProcessor>(std::move(parts));
}

// ["</s>", 2]
Result<std::vector<TokenId>> ParseNamedId(const JsonValue& json, std::string_view key,
                                          const std::string& where) {
  const JsonValue* pair = FindMember(json, key);
  if (!pair || !pair->IsArray() || pair->Size() != 2 || !(*pair)[0].IsString()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: field \"{}\" must be [token, id]", where, key));
  }
  return std::vector<TokenId>{TRY(ToTokenId((*pair)[1], fmt::format("{}.{}[1]", where, key)))};
}

Result<PostProcessorPointer> BuildClsSep(const JsonValue& json, const std::string& where) {
  std::vector<TemplateProcessor::Part> parts;
  parts.push_back({false, TRY(ParseNamedId(json, "cls", where))});
  parts.push_back({true, {}});
  parts.push_back({false, TRY(ParseNamedId(json, "sep", where))});
  return std::make_unique<TemplateProcessor>(std::move(parts));
}

// It trims offsets, which are not kept here.
Result<PostProcessorPointer> BuildByteLevel(const JsonValue&, const std::string&) {
  return std::make_unique<ProcessorSequence>(std::vector<PostProcessorPointer>{});
}

Result<PostProcessorPointer> BuildSequence(const JsonValue& json, const std::string& where) {
  std::vector<PostProcessorPointer> steps;
  for (const auto& [step, place] : TRY(ComponentList(json, "processors", where))) {
    steps.push_back(TRY(ParsePostProcessor(step, place)));
  }
  return std::make_unique<ProcessorSequence>(std::move(steps));
}

constexpr ComponentBuilder<PostProcessor> kPostProcessors[] = {
    {"TemplateProcessing", BuildTemplate}, {"ByteLevel", BuildByteLevel},
    {"RobertaProcessing", BuildClsSep},    {"BertProcessing", BuildClsSep},
    {"Sequence", BuildSequence},
};

}  // namespace

Result<PostProcessorPointer> ParsePostProcessor(const JsonValue* json, const std::string& where) {
  if (!json) return std::make_unique<ProcessorSequence>(std::vector<PostProcessorPointer>{});
  return BuildComponent(kPostProcessors, *json, where);
}

}  // namespace couplingd
