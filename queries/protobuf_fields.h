// The fields of a protocol buffer message, as they lie on the wire. Enough to read the few messages
// of other programs' logs; nothing is trusted.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"

namespace couplingd {

struct ProtobufField {
  std::uint32_t number = 0;
  int wire_type = 0;       // 0 varint, 1 eight bytes, 2 a length and bytes, 5 four bytes
  std::uint64_t bits = 0;  // of types 0, 1 and 5
  std::string_view bytes;  // of type 2; points into the message

  double AsDouble() const;  // of type 1
  float AsFloat() const;    // of type 5
};

// Calls `visit` for every field in the order of the bytes until it fails. kInvalidData where the
// bytes are no message.
Status ForEachField(std::string_view message,
                    const std::function<Status(const ProtobufField& field)>& visit);

}  // namespace couplingd
