#include "probes/tokenizer/pattern.h"

#include <fmt/format.h>

#include <algorithm>

namespace couplingd {
namespace {

// Joins each match to the piece before it, unless that ends in a match too.
void MergeForward(std::vector<TextSpan>& pieces, const Stretch& stretch, bool after_match) {
  if (stretch.is_match && !after_match && !pieces.empty()) {
    pieces.back().end = stretch.span.end;
  } else {
    pieces.push_back(stretch.span);
  }
}

std::vector<TextSpan> CutMergedWithPrevious(const std::vector<Stretch>& stretches) {
  std::vector<TextSpan> pieces;
  bool after_match = false;
  for (const Stretch& stretch : stretches) {
    MergeForward(pieces, stretch, after_match);
    after_match = stretch.is_match;
  }
  return pieces;
}

std::vector<TextSpan> CutMergedWithNext(const std::vector<Stretch>& stretches) {
  std::vector<TextSpan> pieces;
  bool before_match = false;
  for (auto stretch = stretches.rbegin(); stretch != stretches.rend(); ++stretch) {
    if (stretch->is_match && !before_match && !pieces.empty()) {
      pieces.back().begin = stretch->span.begin;
    } else {
      pieces.push_back(stretch->span);
    }
    before_match = stretch->is_match;
  }
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<TextSpan> CutContiguous(const std::vector<Stretch>& stretches) {
  std::vector<TextSpan> pieces;
  bool was_match = false;
  for (const Stretch& stretch : stretches) {
    if (stretch.is_match == was_match && !pieces.empty()) {
      pieces.back().end = stretch.span.end;
    } else {
      pieces.push_back(stretch.span);
    }
    was_match = stretch.is_match;
  }
  return pieces;
}

std::vector<TextSpan> CutApart(const std::vector<Stretch>& stretches, bool keep_matches) {
  std::vector<TextSpan> pieces;
  for (const Stretch& stretch : stretches) {
    if (keep_matches || !stretch.is_match) pieces.push_back(stretch.span);
  }
  return pieces;
}

std::vector<TextSpan> Cut(const std::vector<Stretch>& stretches, SplitBehavior behavior) {
  switch (behavior) {
    case SplitBehavior::kRemoved:
      return CutApart(stretches, false);
    case SplitBehavior::kIsolated:
      return CutApart(stretches, true);
    case SplitBehavior::kMergedWithPrevious:
      return CutMergedWithPrevious(stretches);
    case SplitBehavior::kMergedWithNext:
      return CutMergedWithNext(stretches);
    case SplitBehavior::kContiguous:
      return CutContiguous(stretches);
  }
  return {};
}

}  // namespace

Result<TextPattern> TextPattern::Parse(const JsonValue& component, const std::string& where) {
  const JsonValue* pattern = FindMember(component, "pattern");
  if (!pattern || !pattern->IsObject()) {
    return Fail(
        ErrorKind::kInvalidData,
        fmt::format("{}: field \"pattern\" must be an object with \"String\" or \"Regex\"", where));
  }
  if (auto literal = TRY(FindString(*pattern, "String", where)); literal && !literal->empty()) {
    return TextPattern(std::move(*literal));
  } else if (literal) {
    return TextPattern(TRY(CompileOniguruma("")));
  }
  const std::string regex = TRY(GetString(*pattern, "Regex", where));
  auto compiled = CompileOniguruma(regex);
  if (!compiled) return std::unexpected(compiled.error().Within(where));
  return TextPattern(std::move(*compiled));
}

Result<std::vector<TextSpan>> TextPattern::FindAll(std::string_view text) const {
  if (regex_) return regex_->FindAll(text);
  std::vector<TextSpan> matches;
  std::size_t found = text.find(literal_);
  while (found != std::string_view::npos) {
    matches.push_back({found, found + literal_.size()});
    found = text.find(literal_, found + literal_.size());
  }
  return matches;
}

Result<std::string> TextPattern::ReplaceAll(std::string_view text, std::string_view content) const {
  std::string replaced;
  replaced.reserve(text.size());
  std::size_t end = 0;
  for (const TextSpan& match : TRY(FindAll(text))) {
    replaced += text.substr(end, match.begin - end);
    replaced += content;
    end = match.end;
  }
  replaced += text.substr(end);
  return replaced;
}

Result<SplitBehavior> ParseSplitBehavior(std::string_view name, const std::string& where) {
  constexpr std::pair<std::string_view, SplitBehavior> kBehaviors[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous},
  };
  for (const auto& [known, behavior] : kBehaviors) {
    if (known == name) return behavior;
  }
  return Fail(ErrorKind::kUnsupported,
              fmt::format("{}: the split behavior \"{}\" is not supported", where, name));
}

std::vector<Stretch> CoverWithGaps(const std::vector<TextSpan>& matches, std::size_t size,
                                   bool invert) {
  std::vector<Stretch> stretches;
  stretches.reserve(2 * matches.size() + 1);
  std::size_t end = 0;
  for (const TextSpan& match : matches) {
    if (match.begin != end) stretches.push_back({{end, match.begin}, invert});
    stretches.push_back({match, !invert});
    end = match.end;
  }
  if (end != size) stretches.push_back({{end, size}, invert});
  return stretches;
}

std::vector<TextSpan> CutText(const std::vector<Stretch>& stretches, SplitBehavior behavior) {
  std::vector<TextSpan> pieces = Cut(stretches, behavior);
  std::erase_if(pieces, [](const TextSpan& piece) { return piece.empty(); });
  return pieces;
}

}  // namespace couplingd
