// Conditions on labels, as silences, inhibitions and sinks use them: label=value, label!=value,
// label=~regex, label!~regex. A regex has to match the whole value. A label that is absent reads as
// the empty text.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/regex.h"
#include "base/result.h"

namespace couplingd {

using Labels = std::map<std::string, std::string>;

// Immutable; may be used from any number of threads.
class Matcher {
 public:
  // kUsage where the text is no condition, or its regex cannot be compiled.
  static Result<Matcher> Parse(std::string_view text);

  // False where a regex exceeds its limits on the value.
  bool Matches(const Labels& labels) const;
  const std::string& Text() const { return text_; }

 private:
  Matcher() = default;
  std::string text_, label_, value_;
  bool negated_ = false;
  std::shared_ptr<const Regex> regex_;  // null: compared as text
};

// True for no matchers.
bool MatchesAll(std::span<const Matcher> matchers, const Labels& labels);

}  // namespace couplingd
