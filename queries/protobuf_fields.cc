#include "queries/protobuf_fields.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace couplingd {
namespace {

std::unexpected<Error> Damaged(std::size_t at) {
  return Fail(ErrorKind::kInvalidData, fmt::format("no valid message from its byte {} on", at));
}

bool TakeVarint(std::string_view message, std::size_t& at, std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && at < message.size(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(message[at++]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool TakeFixed(std::string_view message, std::size_t& at, std::size_t size, std::uint64_t& value) {
  if (message.size() - at < size) return false;
  value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(message[at + i])) << (8 * i);
  }
  at += size;
  return true;
}

}  // namespace

double ProtobufField::AsDouble() const { return std::bit_cast<double>(bits); }
float ProtobufField::AsFloat() const {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
}

Status ForEachField(std::string_view message,
                    const std::function<Status(const ProtobufField& field)>& visit) {
  std::size_t at = 0;
  while (at < message.size()) {
    const std::size_t begin = at;
    std::uint64_t tag = 0, length = 0;
    if (!TakeVarint(message, at, tag) || tag >> 3 == 0 || tag >> 32 != 0) return Damaged(begin);
    ProtobufField field{.number = static_cast<std::uint32_t>(tag >> 3),
                        .wire_type = static_cast<int>(tag & 7)};
    bool is_whole = false;
    if (field.wire_type == 0) is_whole = TakeVarint(message, at, field.bits);
    if (field.wire_type == 1) is_whole = TakeFixed(message, at, 8, field.bits);
    if (field.wire_type == 5) is_whole = TakeFixed(message, at, 4, field.bits);
    if (field.wire_type == 2 && TakeVarint(message, at, length) && length <= message.size() - at) {
      field.bytes = message.substr(at, length);
      at += length;
      is_whole = true;
    }
    if (!is_whole) return Damaged(begin);
    TRY(visit(field));
  }
  return {};
}

}  // namespace couplingd
