// Little-endian bytes in and out, for the score and plan files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace couplingd {

class ByteWriter {
 public:
  void Raw(std::string_view bytes) { bytes_ += bytes; }
  void U8(std::uint8_t value) { bytes_ += static_cast<char>(value); }
  void U32(std::uint32_t value);
  void U64(std::uint64_t value);
  void F64(double value);            // the IEEE 754 bits
  void Text(std::string_view text);  // length as U32, then the bytes; at most 4 GiB
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads what ByteWriter wrote. Reading past the end is kInvalidData and names the source and the
// place.
class ByteReader {
 public:
  // `bytes` must outlive the reader.
  ByteReader(std::string_view bytes, std::string_view source) : bytes_(bytes), source_(source) {}

  Result<std::string_view> Raw(std::size_t size);
  Result<std::uint8_t> U8();
  Result<std::uint32_t> U32();
  Result<std::uint64_t> U64();
  Result<double> F64();
  Result<std::string> Text();
  // A count of elements that take at least `min_bytes` each: refused before memory is taken where
  // the rest of the bytes cannot hold that many. `what` names them in the error.
  Result<std::size_t> Count(std::size_t min_bytes, std::string_view what);
  Status VerifyEnd() const;
  std::unexpected<Error> Wrong(std::string_view cause) const;

 private:
  std::string_view bytes_;
  std::string source_;
  std::size_t position_ = 0;
};

}  // namespace couplingd
