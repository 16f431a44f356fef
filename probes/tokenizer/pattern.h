// What "Split" and "Replace" look for, and how a text is cut where it is found.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/regex.h"
#include "base/result.h"
#include "probes/tokenizer/oniguruma.h"

namespace couplingd {

// A literal text or a regex. Immutable; may be used from any number of threads.
class TextPattern {
 public:
  // The field "pattern": {"String": …} or {"Regex": …}.
  static Result<TextPattern> Parse(const JsonValue& component, const std::string& where);

  // As Regex::FindAll. An empty literal is found between all characters.
  Result<std::vector<TextSpan>> FindAll(std::string_view text) const;
  // `text` with every match replaced by `content`, which is taken literally.
  Result<std::string> ReplaceAll(std::string_view text, std::string_view content) const;

 private:
  explicit TextPattern(std::string literal) : literal_(std::move(literal)) {}
  explicit TextPattern(OnigurumaRegex regex) : regex_(std::move(regex)) {}
  std::string literal_;
  std::optional<OnigurumaRegex> regex_;
};

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// "Removed", "Isolated", …
Result<SplitBehavior> ParseSplitBehavior(std::string_view name, const std::string& where);

// A stretch of a text and whether the pattern matched it.
struct Stretch {
  TextSpan span;
  bool is_match = false;
};

// The whole of a text of `size` bytes as matches and the
// gaps between them. With `invert` gaps count as matches.
std::vector<Stretch> CoverWithGaps(const std::vector<TextSpan>& matches, std::size_t size,
                                   bool invert);

// The pieces that remain, in order; empty ones are left out.
std::vector<TextSpan> CutText(const std::vector<Stretch>& stretches, SplitBehavior behavior);

}  // namespace couplingd
