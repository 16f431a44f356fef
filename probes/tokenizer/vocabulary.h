// Token strings and their ids, both ways.
#pragma once

#include <xxhash.h>

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/tokenizer/tokenizer.h"

namespace couplingd {

struct TokenTextHash {
  using is_transparent = void;
  using is_avalanching = void;
  std::size_t operator()(std::string_view text) const {
    return XXH3_64bits(text.data(), text.size());
  }
};

// One id has one text and one text one id. Ids lie in [0, kMaxTokenId]; there may be holes.
class Vocabulary {
 public:
  static constexpr std::size_t kMaxEntries = 2'000'000;
  static constexpr TokenId kMaxTokenId = 4'194'303;

  // kInvalidData where the id is out of range, or text
  // or id is taken; kUnsupported past kMaxEntries.
  Status Add(std::string_view text, std::int64_t id, std::string_view where);

  std::optional<TokenId> IdOf(std::string_view text) const;
  // nullptr where no token has this id.
  const std::string* TextOf(TokenId id) const;
  std::size_t size() const { return ids_.size(); }
  TokenId largest_id() const { return static_cast<TokenId>(texts_.size()) - 1; }

  auto begin() const { return ids_.begin(); }
  auto end() const { return ids_.end(); }

 private:
  boost::unordered_flat_map<std::string, TokenId, TokenTextHash, std::equal_to<>> ids_;
  std::vector<std::optional<std::string>> texts_;  // by id
};

// The tokens "<0x00>" … "<0xFF>", which spell what has no token of its own.
class ByteTokens {
 public:
  ByteTokens() { ids_.fill(-1); }
  explicit ByteTokens(const Vocabulary& vocabulary);
  // Appends one id a byte; false, and nothing is appended, where one of them is missing.
  bool Append(std::string_view text, std::vector<TokenId>& ids) const;

 private:
  std::array<TokenId, 256> ids_;  // -1 where missing
};

}  // namespace couplingd
