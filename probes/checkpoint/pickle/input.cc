#include "probes/checkpoint/pickle/input.h"

#include <fmt/format.h>

namespace couplingd {

std::unexpected<Error> PickleInput::Wrong(std::string_view cause) const {
  return Fail(ErrorKind::kInvalidData,
              fmt::format("{}: pickle, byte {}: {}", source_, opcode_at_, cause),
              "the file is damaged, or was not written by torch.save");
}

Result<std::uint8_t> PickleInput::Opcode() {
  opcode_at_ = at_;
  return static_cast<std::uint8_t>(TRY(Number(1)));
}

Result<std::string_view> PickleInput::Bytes(std::uint64_t size) {
  if (size > text_.size() - at_) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: pickle, byte {}: it ends before its STOP", source_, opcode_at_),
                "the file is still being written, or its writer was stopped", true);
  }
  const std::string_view bytes = text_.substr(at_, size);
  at_ += size;
  return bytes;
}

Result<std::uint64_t> PickleInput::Number(std::size_t size) {
  const std::string_view bytes = TRY(Bytes(size));
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

Result<std::string_view> PickleInput::Sized(std::size_t width) {
  const std::uint64_t size = TRY(Number(width));
  if (size > max_string_) {
    return Wrong(fmt::format("a string of {} bytes, at most {} are read", size, max_string_));
  }
  return Bytes(size);
}

Result<std::string_view> PickleInput::Line() {
  const std::size_t end = text_.find('\n', at_);
  if (end == std::string_view::npos || end - at_ > max_string_) {
    return Bytes(text_.size() - at_ + 1);
  }
  const std::string_view line = text_.substr(at_, end - at_);
  at_ = end + 1;
  return line;
}

}  // namespace couplingd
