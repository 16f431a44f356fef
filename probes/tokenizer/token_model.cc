#include "probes/tokenizer/token_model.h"

#include <fmt/format.h>

#include "probes/tokenizer/component.h"

namespace couplingd {

Result<TokenModel> ParseTokenModel(const JsonValue& json, const std::string& where) {
  if (!json.IsObject()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} must be an object", where));
  }
  const auto type = TRY(FindString(json, "type", where));
  // Early files leave the type out, and only BPE has merges.
  if (type ? *type == "BPE" : FindMember(json, "merges") != nullptr) {
    return TRY(BpeModel::Parse(json, where));
  }
  if (type == "Unigram") return TRY(UnigramModel::Parse(json, where));
  constexpr std::string_view kKnown[] = {"BPE", "Unigram"};
  return UnknownComponent(type.value_or(""), where, kKnown);
}

const Vocabulary& VocabularyOf(const TokenModel& model) {
  return std::visit([](const auto& each) -> const Vocabulary& { return each.vocabulary(); }, model);
}

}  // namespace couplingd
