// Patterns in tokenizer files are written for Oniguruma's Ruby-like dialect. This translates one
// into a PCRE2 pattern (to be compiled with UTF, UCP and MULTILINE) that matches the same texts.
//
// Translated: \s \w \d \h and their complements by Oniguruma's definitions, \p{…} by its names,
// POSIX brackets, nested classes and && in classes, {,n}, {n,m}+ (a repeated interval, not a
// possessive one), (?m) as "dot matches newline", isolated options (?i) that reach to the end of
// their group. Refused by name (kUnsupported): backreferences, subexpression calls, conditionals,
// callouts, absent operators, \K \G \X \y, (?x), and under (?i) what the two widen differently:
// \p{Lu} and the like, classes composed of complements or intersections.
// Known difference: PCRE2 folds case by single characters.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/regex.h"
#include "base/result.h"

namespace couplingd {

Result<std::string> TranslateOniguruma(std::string_view pattern);

// Immutable; may be used from any number of threads.
class OnigurumaRegex {
 public:
  // Only a pattern that `asks_for_properties` depends on a version of Unicode.
  OnigurumaRegex(Regex translated, bool asks_for_properties)
      : translated_(std::move(translated)), asks_for_properties_(asks_for_properties) {}

  // As Regex::FindAll, by the reference's version of Unicode (newer_code_points.h).
  Result<std::vector<TextSpan>> FindAll(std::string_view text) const;

 private:
  Regex translated_;
  bool asks_for_properties_;
};

Result<OnigurumaRegex> CompileOniguruma(std::string_view pattern);

}  // namespace couplingd
