#include "history/byte_codec.h"

#include <fmt/format.h>

#include <bit>
#include <concepts>

namespace couplingd {
namespace {

template <std::unsigned_integral T>
std::string Encode(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes += static_cast<char>((value >> (8 * i)) & 0xff);
  }
  return bytes;
}

template <std::unsigned_integral T>
T Decode(std::string_view bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

}  // namespace

void ByteWriter::U32(std::uint32_t value) { bytes_ += Encode(value); }
void ByteWriter::U64(std::uint64_t value) { bytes_ += Encode(value); }
void ByteWriter::F64(double value) { U64(std::bit_cast<std::uint64_t>(value)); }

void ByteWriter::Text(std::string_view text) {
  U32(static_cast<std::uint32_t>(text.size()));
  bytes_ += text;
}

Result<std::string_view> ByteReader::Raw(std::size_t size) {
  if (size > bytes_.size() - position_) {
    return Wrong(
        fmt::format("{} bytes were expected, {} are left", size, bytes_.size() - position_));
  }
  const std::string_view raw = bytes_.substr(position_, size);
  position_ += size;
  return raw;
}

Result<std::uint8_t> ByteReader::U8() { return Decode<std::uint8_t>(TRY(Raw(1))); }
Result<std::uint32_t> ByteReader::U32() { return Decode<std::uint32_t>(TRY(Raw(4))); }
Result<std::uint64_t> ByteReader::U64() { return Decode<std::uint64_t>(TRY(Raw(8))); }
Result<double> ByteReader::F64() { return std::bit_cast<double>(TRY(U64())); }
Result<std::string> ByteReader::Text() { return std::string(TRY(Raw(TRY(U32())))); }

Result<std::size_t> ByteReader::Count(std::size_t min_bytes, std::string_view what) {
  const std::uint64_t count = TRY(U64());
  const std::size_t left = bytes_.size() - position_;
  if (count > left / min_bytes) {
    return Wrong(
        fmt::format("{} {} are announced, which cannot lie in {} bytes", count, what, left));
  }
  return static_cast<std::size_t>(count);
}

Status ByteReader::VerifyEnd() const {
  if (position_ == bytes_.size()) return {};
  return Wrong(fmt::format("{} bytes are left over", bytes_.size() - position_));
}

std::unexpected<Error> ByteReader::Wrong(std::string_view cause) const {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: at byte {}: {}", source_, position_, cause),
              "the file is damaged: evaluate the checkpoint again");
}

}  // namespace couplingd
