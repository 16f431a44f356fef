#include "probes/tokenizer/added_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "probes/tokenizer/component.h"
#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

// A search takes at most this many steps per byte of text.
constexpr std::size_t kMaxContentBytes = 4096;

Result<AddedToken> ParseAddedToken(const JsonValue& json, const std::string& where) {
  if (!json.IsObject()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} must be an object", where));
  }
  AddedToken token;
  const std::int64_t id = TRY(GetInt(json, "id", where));
  if (id < 0 || id > Vocabulary::kMaxTokenId) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: the id {} is not in 0..{}", where, id, Vocabulary::kMaxTokenId));
  }
  token.id = static_cast<TokenId>(id);
  token.content = TRY(GetString(json, "content", where));
  token.single_word = TRY(GetBool(json, "single_word", where));
  token.strips_left = TRY(GetBool(json, "lstrip", where));
  token.strips_right = TRY(GetBool(json, "rstrip", where));
  token.is_normalized = TRY(GetBool(json, "normalized", where));
  token.is_special = TRY(GetBool(json, "special", where));
  if (token.content.empty()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: the content is empty", where));
  }
  if (token.content.size() > kMaxContentBytes) {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{}: the content is longer than {} bytes", where, kMaxContentBytes));
  }
  return token;
}

bool WordEndsAt(std::string_view text, std::size_t position) {
  return position > 0 && IsWord(PreviousCodePoint(text, position));
}

bool WordStartsAt(std::string_view text, std::size_t position) {
  return position < text.size() && IsWord(NextCodePoint(text, position));
}

std::size_t SkipBlanksLeft(std::string_view text, std::size_t position) {
  while (position > 0) {
    std::size_t previous = position;
    if (!IsWhitespace(PreviousCodePoint(text, previous))) break;
    position = previous;
  }
  return position;
}

std::size_t SkipBlanksRight(std::string_view text, std::size_t position) {
  while (position < text.size()) {
    std::size_t next = position;
    if (!IsWhitespace(NextCodePoint(text, next))) break;
    position = next;
  }
  return position;
}

}  // namespace

Result<std::vector<AddedToken>> ParseAddedTokens(const JsonValue* json,
                                                 const Vocabulary& vocabulary,
                                                 const std::string& where) {
  std::vector<AddedToken> tokens;
  if (!json) return tokens;
  if (!json->IsArray()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} must be an array", where));
  }
  std::set<std::string> contents;
  std::int64_t largest = -1;
  for (const JsonValue& element : json->GetArray()) {
    const std::string place = fmt::format("{}[{}]", where, tokens.size());
    AddedToken token = TRY(ParseAddedToken(element, place));
    const auto size = static_cast<std::int64_t>(vocabulary.size());
    const std::int64_t expected =
        vocabulary.IdOf(token.content).value_or(std::max(size, largest + 1));
    if (token.id != expected) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}: \"{}\" has the id {}, but by the vocabulary it is {}", place,
                              token.content, token.id, expected),
                  "save the tokenizer again with the library that made it");
    }
    if (!contents.insert(token.content).second) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}: \"{}\" stands twice", place, token.content));
    }
    largest = std::max<std::int64_t>(largest, token.id);
    tokens.push_back(std::move(token));
  }
  std::stable_partition(tokens.begin(), tokens.end(),
                        [](const AddedToken& token) { return token.is_special; });
  return tokens;
}

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens,
                                     const std::vector<std::string>& spellings)
    : tokens_(std::move(tokens)) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (spellings[i].empty()) continue;
    // Of two that are spelled alike the first counts.
    std::int32_t& index = trie_.At(spellings[i]);
    if (index < 0) index = static_cast<std::int32_t>(i);
    starts_token_[static_cast<unsigned char>(spellings[i][0])] = true;
  }
}

std::optional<AddedTokenMatcher::Match> AddedTokenMatcher::LongestAt(std::string_view text,
                                                                     std::size_t start) const {
  std::optional<Match> longest;
  std::uint32_t node = ByteTrie::kRoot;
  for (std::size_t i = start; i < text.size(); ++i) {
    const auto child = trie_.Child(node, text[i]);
    if (!child) break;
    node = *child;
    const std::int32_t index = trie_.NumberOf(node);
    if (index >= 0) longest = Match{{start, i + 1}, &tokens_[index]};
  }
  return longest;
}

std::optional<AddedTokenMatcher::Match> AddedTokenMatcher::FindFrom(std::string_view text,
                                                                    std::size_t start) const {
  for (std::size_t i = start; i < text.size(); ++i) {
    if (!starts_token_[static_cast<unsigned char>(text[i])]) continue;
    if (auto match = LongestAt(text, i)) return match;
  }
  return std::nullopt;
}

std::vector<TextSegment> AddedTokenMatcher::Split(std::string_view text) const {
  std::vector<TextSegment> segments;
  std::size_t end = 0;     // of the last segment, blanks that a token takes along included
  std::size_t search = 0;  // behind the last match itself
  while (const auto match = FindFrom(text, search)) {
    TextSpan span = match->span;
    search = span.end;
    const AddedToken& token = *match->token;
    if (token.single_word && (WordEndsAt(text, span.begin) || WordStartsAt(text, span.end))) {
      continue;
    }
    if (token.strips_left) span.begin = std::max(SkipBlanksLeft(text, span.begin), end);
    if (token.strips_right) span.end = SkipBlanksRight(text, span.end);
    if (end < span.begin) segments.push_back({{end, span.begin}, std::nullopt});
    segments.push_back({span, token.id});
    end = span.end;
  }
  if (end < text.size()) segments.push_back({{end, text.size()}, std::nullopt});
  return segments;
}

}  // namespace couplingd
