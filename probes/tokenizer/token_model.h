// What cuts a piece of text into tokens: the field "model".
#pragma once

#include <string>
#include <variant>

#include "base/json.h"
#include "base/result.h"
#include "probes/tokenizer/bpe.h"
#include "probes/tokenizer/unigram.h"

namespace couplingd {

using TokenModel = std::variant<BpeModel, UnigramModel>;

// kUnsupported for a type that is not known here.
Result<TokenModel> ParseTokenModel(const JsonValue& json, const std::string& where);

const Vocabulary& VocabularyOf(const TokenModel& model);

}  // namespace couplingd
