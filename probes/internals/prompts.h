// What a model is shown when its activations are looked at: prompts written for this project, as a
// data file that is built into the program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/benchmark/pack.h"
#include "probes/benchmark/requests.h"
#include "probes/tokenizer/tokenizer.h"

namespace couplingd {

struct StatementPair {
  std::string true_one, false_one;
};

struct PromptSet {
  std::string name;    // "contrast-1"; another content has another name
  std::string hash;    // 32 hexadecimal digits, of the file
  std::string suffix;  // ends every prompt, so that all end in the same token
  std::vector<std::string> reasoning, truthfulness, neutral;  // with the suffix; alike in length
  std::vector<StatementPair> statements;                      // the truth direction is taken from
  Pack truth_items, reasoning_items;  // held out: two choices each, the right one first
};

// Errors name the field and the entry. A set needs two entries of each kind.
Result<PromptSet> ParsePromptSet(std::string_view json, std::string_view source);
Result<PromptSet> BuiltInPrompts();

// Token ids of each text as the model reads them. Errors name the text: longer than the model's
// positions, no tokens, ids outside the vocabulary.
Result<std::vector<std::vector<TokenId>>> EncodeTexts(const std::vector<std::string>& texts,
                                                      const Tokenizer& tokenizer,
                                                      const EncodeOptions& options,
                                                      std::int64_t vocabulary);

}  // namespace couplingd
