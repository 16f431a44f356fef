// The table of replacements that SentencePiece compiles into its models, as a normalizer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace couplingd {

// Immutable; may be used from any number of threads.
class PrecompiledTable {
 public:
  // `bytes`: the size of a trie (u32, little-endian), the trie as a double array of u32 units, and
  // the replacements, each ended by a zero. kInvalidData where they do not fit together.
  static Result<PrecompiledTable> Parse(std::string_view bytes, const std::string& where);

  // Each grapheme of less than six bytes is looked up, else each of its characters; the shortest
  // entry that it begins with replaces it whole, as in the reference. kInternal where ICU fails.
  Result<std::string> Apply(std::string_view text) const;

 private:
  // The replacement of the shortest entry that is a prefix of `key`.
  std::optional<std::string_view> Find(std::string_view key) const;
  void AppendCharacters(std::string_view grapheme, std::string& out) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace couplingd
