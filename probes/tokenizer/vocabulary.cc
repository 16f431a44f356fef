#include "probes/tokenizer/vocabulary.h"

#include <fmt/format.h>

namespace couplingd {

Status Vocabulary::Add(std::string_view text, std::int64_t id, std::string_view where) {
  if (id < 0 || id > kMaxTokenId) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: the token \"{}\" has the id {}; ids lie in 0..{}", where, text, id,
                            kMaxTokenId));
  }
  if (ids_.size() >= kMaxEntries) {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{}: more than {} tokens", where, kMaxEntries));
  }
  const auto token = static_cast<TokenId>(id);
  if (const std::string* taken = TextOf(token)) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: the tokens \"{}\" and \"{}\" both have the id {}", where, *taken,
                            text, id));
  }
  if (!ids_.emplace(text, token).second) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: the token \"{}\" stands twice", where, text));
  }
  if (texts_.size() <= static_cast<std::size_t>(id)) texts_.resize(id + 1);
  texts_[id] = text;
  return {};
}

std::optional<TokenId> Vocabulary::IdOf(std::string_view text) const {
  const auto found = ids_.find(text);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const std::string* Vocabulary::TextOf(TokenId id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= texts_.size() || !texts_[id]) return nullptr;
  return &*texts_[id];
}

ByteTokens::ByteTokens(const Vocabulary& vocabulary) {
  for (int byte = 0; byte < 256; ++byte) {
    ids_[byte] = vocabulary.IdOf(fmt::format("<0x{:02X}>", byte)).value_or(-1);
  }
}

bool ByteTokens::Append(std::string_view text, std::vector<TokenId>& ids) const {
  for (const unsigned char byte : text) {
    if (ids_[byte] < 0) return false;
  }
  for (const unsigned char byte : text) ids.push_back(ids_[byte]);
  return true;
}

}  // namespace couplingd
