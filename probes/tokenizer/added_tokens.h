// Tokens that are found in the text itself, before the model sees it: the field "added_tokens".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/regex.h"
#include "base/result.h"
#include "probes/tokenizer/byte_trie.h"
#include "probes/tokenizer/normalizer.h"
#include "probes/tokenizer/tokenizer.h"
#include "probes/tokenizer/vocabulary.h"

namespace couplingd {

struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool single_word = false;
  bool strips_left = false;
  bool strips_right = false;
  bool is_normalized = false;
  bool is_special = false;
};

// The list, in the order in which it is matched (special tokens first). Each content and id stands
// once, and an id agrees with the vocabulary: where the content is in it, its id; else the next
// free one, which is what the reference assigns whatever the file says (so a file that says
// otherwise is kInvalidData).
Result<std::vector<AddedToken>> ParseAddedTokens(const JsonValue* json,
                                                 const Vocabulary& vocabulary,
                                                 const std::string& where);

// A part of a text: one added token, or a stretch without any.
struct TextSegment {
  TextSpan span;
  std::optional<TokenId> id;
};

// Finds the tokens of one list, leftmost and longest.
// Immutable; may be used from any number of threads.
class AddedTokenMatcher {
 public:
  // `spellings[i]` is what the text must hold for tokens[i]; an empty one never matches.
  AddedTokenMatcher(std::vector<AddedToken> tokens, const std::vector<std::string>& spellings);

  std::vector<TextSegment> Split(std::string_view text) const;

 private:
  struct Match {
    TextSpan span;
    const AddedToken* token;
  };
  std::optional<Match> FindFrom(std::string_view text, std::size_t start) const;
  std::optional<Match> LongestAt(std::string_view text, std::size_t start) const;

  std::vector<AddedToken> tokens_;
  ByteTrie trie_;  // indices of tokens_ by spelling
  bool starts_token_[256] = {};
};

}  // namespace couplingd
