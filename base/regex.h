// Regular expressions over UTF-8, matched by PCRE2 with limits on work and memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace couplingd {

// Bytes [begin, end) of a text.
struct TextSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool empty() const { return begin == end; }
  bool operator==(const TextSpan&) const = default;
};

// Immutable; may be used from any number of threads.
class Regex {
 public:
  // `pattern` is in PCRE2's dialect, with UTF, UCP and MULTILINE. One that cannot be compiled is
  // kUnsupported.
  static Result<Regex> Compile(std::string_view pattern);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  // All matches from left to right, without overlap; an empty one only
  // where no match has just ended. REQUIRES: `text` is valid UTF-8. A
  // search that exceeds its limits is kExhausted, never "no match".
  Result<std::vector<TextSpan>> FindAll(std::string_view text) const;

 private:
  struct Compiled;
  explicit Regex(std::unique_ptr<const Compiled> compiled);
  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace couplingd
