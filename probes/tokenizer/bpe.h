// Byte-pair encoding: the field "model" of type "BPE".
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "probes/tokenizer/tokenizer.h"
#include "probes/tokenizer/vocabulary.h"

namespace couplingd {

// Immutable after loading; Encode may be called from
// any number of threads, each with its own Scratch.
class BpeModel {
 public:
  // A symbol of the stretch being merged, in a doubly linked list within an array.
  struct Symbol {
    TokenId id;             // -1: joined to the one before it
    std::int32_t previous;  // -1: none
    std::int32_t next;      // -1: none
    std::uint32_t rank;     // of the merge with the next one, kNoMerge where there is none
    TokenId merged;         // what that merge gives
  };
  struct Scratch {
    std::vector<TokenId> piece;
    std::vector<Symbol> symbols;
    std::vector<std::uint64_t> heap;  // rank and position of possible merges, the lowest on top
  };

  // kInvalidData where a merge names what is not in the vocabulary.
  static Result<BpeModel> Parse(const JsonValue& json, const std::string& where);

  // Appends the ids of one piece (valid UTF-8): its characters are joined, lowest merge rank first
  // and from the left, until no merge applies, in O(n log n). kInvalidData where a character is
  // unknown and the unknown token itself is not in the vocabulary.
  Status Encode(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Merge {
    std::uint32_t rank;
    TokenId merged;
  };

  Status ParseVocabulary(const JsonValue& json, const std::string& where);
  Status ParseMerges(const JsonValue& json, const std::string& where);
  Status AddMerge(std::string_view left, std::string_view right, std::uint32_t rank);
  void IndexSymbols();
  void IndexJoints();

  // Of two ids, two code points, or a rank and a position.
  static std::uint64_t PairKey(std::uint32_t left, std::uint32_t right) {
    return static_cast<std::uint64_t>(left) << 32 | right;
  }

  std::optional<TokenId> SymbolOf(std::string_view text) const;
  Result<TokenId> UnknownId() const;
  Status SplitIntoSymbols(std::string_view piece, std::vector<TokenId>& symbols) const;
  bool MayJoin(TokenId left, TokenId right) const;
  void MergeStretch(std::span<const TokenId> stretch, Scratch& scratch,
                    std::vector<TokenId>& ids) const;
  void FindRank(std::vector<Symbol>& symbols, std::int32_t position) const;
  void JoinWithNext(std::vector<Symbol>& symbols, std::int32_t position) const;
  void MergeByScanning(std::vector<Symbol>& symbols) const;
  void MergeByHeap(Scratch& scratch) const;

  // Constant after Parse.
  Vocabulary vocabulary_;
  boost::unordered_flat_map<std::uint64_t, Merge> merges_;  // by both ids
  std::optional<std::string> unknown_token_;
  std::string prefix_;  // of every symbol but the first of a piece
  std::string suffix_;  // of the last symbol of a piece
  bool fuse_unknown_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
  ByteTokens byte_tokens_;
  std::vector<TokenId> character_ids_;  // of the first characters by code point, -1 where missing
  // Which characters any merge joins: (last of the left token, first
  // of the right one). Between others a long piece can be cut without
  // changing the result. Absent where token texts do not tell.
  std::optional<boost::unordered_flat_set<std::uint64_t>> joints_;
  struct Ends {
    char32_t first;
    char32_t last;
  };
  std::vector<Ends> ends_;  // of each token's text, by id
};

}  // namespace couplingd
