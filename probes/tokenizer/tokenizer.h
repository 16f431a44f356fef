// Text to token ids and back, as the file tokenizer.json of a checkpoint
// says, or an older form of it. The reference is the Hugging Face library `tokenizers` on the same
// file: ids are equal to what it gives, or the file is refused by name.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace couplingd {

using TokenId = std::int32_t;

// Immutable once loaded: every method may be called from any number of threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // `text` must be UTF-8 (kInvalidData otherwise). With `add_special_tokens` the file's
  // post-processor adds what its template says (a BOS, say). An empty text gives only those.
  // Truncation and padding blocks of the file are not applied.
  virtual Result<std::vector<TokenId>> Encode(std::string_view text,
                                              bool add_special_tokens) const = 0;
  // Special tokens are kept as text; bytes that form no UTF-8 become U+FFFD. An id that is not in
  // the vocabulary is kInvalidData.
  virtual Result<std::string> Decode(std::span<const TokenId> ids) const = 0;
  // The id of a token as the file spells it (so a byte-level " a" is "Ġa").
  virtual std::optional<TokenId> IdOf(std::string_view token) const = 0;
  virtual TokenId largest_id() const = 0;

  // As named by tokenizer_config.json, else by
  // special_tokens_map.json; absent where neither names one.
  virtual std::optional<TokenId> bos_id() const = 0;
  virtual std::optional<TokenId> eos_id() const = 0;
  // Absent where the configuration does not say, or says "infinite" (above 1e20).
  virtual std::optional<std::int64_t> model_max_length() const = 0;
  // XXH3-128, 32 hexadecimal digits, over everything that decides ids: the bytes of tokenizer.json,
  // and the values behind bos_id, eos_id and model_max_length.
  virtual const std::string& hash() const = 0;
};

// Reads DIRECTORY/tokenizer.json; where there is none, vocab.json and merges.txt, or else
// tokenizer.model; and where they are, tokenizer_config.json and special_tokens_map.json.
// kNotFound where there is none of them, kUnsupported for a component or class of tokenizer that
// is not known here (it is named), kInvalidData for damage.
Result<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& directory);

// The same from memory. `tokenizer_config_json` may be empty. `source` names the input in errors.
Result<std::unique_ptr<Tokenizer>> ParseTokenizer(std::string_view tokenizer_json,
                                                  std::string_view tokenizer_config_json,
                                                  std::string_view source);

}  // namespace couplingd
