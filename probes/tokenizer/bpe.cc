#include "probes/tokenizer/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

// Up to this many symbols scanning for the best merge beats the heap.
constexpr std::size_t kFewSymbols = 48;
constexpr std::uint32_t kNoMerge = std::numeric_limits<std::uint32_t>::max();

}  // namespace

Status BpeModel::Encode(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const {
  if (piece.empty()) return {};
  if (ignore_merges_) {
    if (const auto whole = vocabulary_.IdOf(piece)) {
      ids.push_back(*whole);
      return {};
    }
  }
  if (piece.size() > std::numeric_limits<std::int32_t>::max()) {
    return Fail(ErrorKind::kUnsupported, "a piece of text is longer than 2 GiB");
  }
  const std::vector<TokenId>& symbols = scratch.piece;
  scratch.piece.clear();
  TRY(SplitIntoSymbols(piece, scratch.piece));
  std::size_t begin = 0;
  while (begin < symbols.size()) {
    std::size_t end = symbols.size();
    if (end - begin > kFewSymbols) {
      end = begin + 1;
      while (end < symbols.size() && MayJoin(symbols[end - 1], symbols[end])) ++end;
    }
    MergeStretch(std::span(symbols).subspan(begin, end - begin), scratch, ids);
    begin = end;
  }
  return {};
}

std::optional<TokenId> BpeModel::SymbolOf(std::string_view text) const {
  std::size_t end = 0;
  const char32_t c = NextCodePoint(text, end);
  if (c >= character_ids_.size()) return vocabulary_.IdOf(text);
  const TokenId id = character_ids_[c];
  return id < 0 ? std::nullopt : std::optional(id);
}

Result<TokenId> BpeModel::UnknownId() const {
  if (const auto id = vocabulary_.IdOf(*unknown_token_)) return *id;
  return Fail(ErrorKind::kInvalidData,
              fmt::format("a character is not in the vocabulary, and neither is the unknown token "
                          "\"{}\" that should stand for it",
                          *unknown_token_));
}

Status BpeModel::SplitIntoSymbols(std::string_view piece, std::vector<TokenId>& symbols) const {
  const bool has_affixes = !prefix_.empty() || !suffix_.empty();
  // An unknown symbol waits for the next known one, past symbols that fall back to bytes, as in the
  // reference. -1: none waits.
  TokenId pending = -1;
  std::string spelled;
  std::size_t position = 0;
  while (position < piece.size()) {
    const std::size_t begin = position;
    NextCodePoint(piece, position);
    std::string_view text = piece.substr(begin, position - begin);
    if (has_affixes) {
      spelled = fmt::format("{}{}{}", begin == 0 ? "" : prefix_, text,
                            position == piece.size() ? suffix_ : "");
      text = spelled;
    }
    if (const auto id = has_affixes ? vocabulary_.IdOf(text) : SymbolOf(text)) {
      if (pending >= 0) symbols.push_back(pending);
      pending = -1;
      symbols.push_back(*id);
    } else if (byte_fallback_ && byte_tokens_.Append(text, symbols)) {
      continue;
    } else if (unknown_token_) {
      if (pending >= 0 && !fuse_unknown_) symbols.push_back(pending);
      pending = TRY(UnknownId());
    }
  }
  if (pending >= 0) symbols.push_back(pending);
  return {};
}

// A merge over the boundary would join a token that ends
// as `left` does to one that starts as `right` does.
bool BpeModel::MayJoin(TokenId left, TokenId right) const {
  return !joints_ || joints_->contains(PairKey(ends_[left].last, ends_[right].first));
}

void BpeModel::MergeStretch(std::span<const TokenId> stretch, Scratch& scratch,
                            std::vector<TokenId>& ids) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.clear();
  const auto count = static_cast<std::int32_t>(stretch.size());
  for (std::int32_t i = 0; i < count; ++i) {
    symbols.push_back({stretch[i], i - 1, i + 1 < count ? i + 1 : -1, kNoMerge, -1});
  }
  for (std::int32_t i = 0; i < count; ++i) FindRank(symbols, i);
  if (stretch.size() <= kFewSymbols) {
    MergeByScanning(symbols);
  } else {
    MergeByHeap(scratch);
  }
  for (const Symbol& symbol : symbols) {
    if (symbol.id >= 0) ids.push_back(symbol.id);
  }
}

void BpeModel::FindRank(std::vector<Symbol>& symbols, std::int32_t position) const {
  Symbol& symbol = symbols[position];
  symbol.rank = kNoMerge;
  if (symbol.next < 0) return;
  const auto found = merges_.find(PairKey(symbol.id, symbols[symbol.next].id));
  if (found == merges_.end()) return;
  symbol.rank = found->second.rank;
  symbol.merged = found->second.merged;
}

void BpeModel::JoinWithNext(std::vector<Symbol>& symbols, std::int32_t position) const {
  Symbol& left = symbols[position];
  Symbol& right = symbols[left.next];
  left.id = left.merged;
  left.next = right.next;
  right.id = -1;
  right.rank = kNoMerge;
  if (left.next >= 0) symbols[left.next].previous = position;
  if (left.previous >= 0) FindRank(symbols, left.previous);
  FindRank(symbols, position);
}

void BpeModel::MergeByScanning(std::vector<Symbol>& symbols) const {
  while (true) {
    const Symbol* best = nullptr;
    for (std::int32_t i = 0; i >= 0; i = symbols[i].next) {
      const Symbol& symbol = symbols[i];
      if (symbol.rank != kNoMerge && (!best || symbol.rank < best->rank)) best = &symbol;
    }
    if (!best) return;
    JoinWithNext(symbols, static_cast<std::int32_t>(best - symbols.data()));
  }
}

void BpeModel::MergeByHeap(Scratch& scratch) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  std::vector<std::uint64_t>& heap = scratch.heap;
  heap.clear();
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    if (symbols[i].rank != kNoMerge) heap.push_back(PairKey(symbols[i].rank, i));
  }
  std::make_heap(heap.begin(), heap.end(), std::greater());
  const auto push = [&](std::int32_t position) {
    if (position < 0 || symbols[position].rank == kNoMerge) return;
    heap.push_back(PairKey(symbols[position].rank, position));
    std::push_heap(heap.begin(), heap.end(), std::greater());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater());
    const auto rank = static_cast<std::uint32_t>(heap.back() >> 32);
    const auto position = static_cast<std::int32_t>(heap.back());
    heap.pop_back();
    // The symbol or its neighbour may have been joined to another since.
    if (symbols[position].rank != rank) continue;
    JoinWithNext(symbols, position);
    push(symbols[position].previous);
    push(position);
  }
}

}  // namespace couplingd
