// The most probable cut of a piece into tokens that each have a log-probability: the field "model"
// of type "Unigram". Kudo, Subword Regularization, 2018 (arXiv:1804.10959), section 3.2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "probes/tokenizer/byte_trie.h"
#include "probes/tokenizer/vocabulary.h"

namespace couplingd {

// Immutable after loading; Encode may be called from any number of threads, each with its own
// Scratch.
class UnigramModel {
 public:
  // The best path that ends at one byte of the piece.
  struct Arrival {
    std::int64_t begin = -1;  // of its last token; -1: no path ends here
    TokenId id = -1;          // of its last token
    double score = 0;         // summed
  };
  struct Scratch {
    std::vector<Arrival> arrivals;
    std::vector<std::string_view> stretches;
  };

  // kInvalidData for scores that are no numbers.
  static Result<UnigramModel> Parse(const JsonValue& json, const std::string& where);

  // Appends the ids of one piece (valid UTF-8). Of cuts with equal scores the one whose last token
  // is longer wins. A character that is no token counts as the unknown one, ten below the lowest
  // score; neighbouring unknown ones are one stretch, which is spelled in bytes where the model has
  // them. kInvalidData where there is an unknown character and no unknown token.
  Status Encode(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  Status ParseVocabulary(const JsonValue& json, const std::string& where);
  Status FindBestPath(std::string_view piece, std::vector<Arrival>& arrivals) const;
  Status AppendIds(std::string_view stretch, std::vector<TokenId>& ids) const;

  // Constant after Parse.
  Vocabulary vocabulary_;
  std::vector<double> scores_;  // by id
  double unknown_score_ = 0;
  std::optional<TokenId> unknown_id_;
  bool byte_fallback_ = false;
  ByteTokens byte_tokens_;
  ByteTrie trie_;  // ids by text
};

}  // namespace couplingd
