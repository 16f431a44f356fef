// What stands beside a tokenizer's own file: tokenizer_config.json and special_tokens_map.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "probes/tokenizer/added_tokens.h"
#include "probes/tokenizer/vocabulary.h"

namespace couplingd {

struct TokenizerOverlay {
  std::optional<std::string> bos, eos;  // as tokens are spelled
  std::optional<std::int64_t> model_max_length;
  std::optional<std::string> tokenizer_class;
  std::optional<bool> adds_bos, adds_eos, adds_prefix_space;
};

inline constexpr std::size_t kMaxTokenizerConfigBytes = 16 << 20;

// What an earlier file said stays. `source` names the file in errors.
Status ReadOverlay(std::string_view json, const std::string& source, TokenizerOverlay& overlay);

// Both files of the directory, where they are there.
Result<TokenizerOverlay> ReadOverlays(const std::string& directory);

// Tokens added to a vocabulary that is no tokenizer.json: added_tokens.json and
// "added_tokens_decoder" of tokenizer_config.json, by id.
Result<std::vector<AddedToken>> ReadConfiguredTokens(const std::string& directory);

// nullopt where there is no such file.
Result<std::optional<std::string>> ReadOptionalFile(const std::string& path, std::size_t max_bytes);

// kInvalidData where the overlay names a token that the vocabulary lacks; `key` as in the file.
Result<std::optional<TokenId>> ResolveNamedToken(const std::optional<std::string>& token,
                                                 const Vocabulary& vocabulary, std::string_view key,
                                                 const std::string& source);

// Hashes what of the overlay decides ids beside a tokenizer.json.
void UpdateHash(StreamHash& hash, const TokenizerOverlay& overlay);

}  // namespace couplingd
