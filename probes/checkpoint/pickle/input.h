// The bytes of a pickle, opcode by opcode.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace couplingd {

class PickleInput {
 public:
  PickleInput(std::string_view text, std::size_t begin, std::string_view source,
              std::size_t max_string)
      : text_(text), at_(begin), source_(source), max_string_(max_string) {}

  std::size_t at() const { return at_; }

  // The next opcode; errors name the place of the one that was taken last.
  Result<std::uint8_t> Opcode();
  Result<std::uint64_t> Number(std::size_t size);      // little-endian
  Result<std::string_view> Bytes(std::uint64_t size);  // `retryable` where the text ends before
  Result<std::string_view> Sized(std::size_t width);   // a string after its length
  Result<std::string_view> Line();                     // without its end

  std::unexpected<Error> Wrong(std::string_view cause) const;

 private:
  std::string_view text_;
  std::size_t at_;
  std::size_t opcode_at_ = 0;
  std::string source_;
  std::size_t max_string_;
};

}  // namespace couplingd
