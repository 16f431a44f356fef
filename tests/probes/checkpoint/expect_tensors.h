// Compares what a source gives with what the writer's own library read back.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "probes/checkpoint/tensor_source.h"

namespace couplingd {

inline std::string HexOf(const std::string& bytes) {
  std::string hex;
  for (const unsigned char byte : bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

inline std::string BytesOf(const TensorSource& source, const TensorInfo& tensor) {
  std::string bytes(tensor.bytes, '\0');
  const Status read = source.Read(tensor, bytes.data());
  EXPECT_TRUE(read) << tensor.name << ": " << read.error().Text();
  return bytes;
}

// `tensors`: {name: {"dtype", "shape", "bytes"}}. Every tensor is read whole and in odd pieces.
inline void ExpectTensors(const TensorSource& source, const JsonValue& tensors,
                          const std::string& what) {
  EXPECT_EQ(source.tensors().size(), tensors.MemberCount()) << what;
  for (const auto& expected : tensors.GetObject()) {
    const std::string name = expected.name.GetString();
    const TensorInfo* tensor = source.Find(name);
    ASSERT_NE(tensor, nullptr) << what << ": " << name;
    EXPECT_EQ(ToString(tensor->dtype), expected.value["dtype"].GetString()) << what << ": " << name;
    std::vector<std::int64_t> shape;
    for (const JsonValue& size : expected.value["shape"].GetArray())
      shape.push_back(size.GetInt64());
    EXPECT_EQ(tensor->shape, shape) << what << ": " << name;
    const std::string bytes = BytesOf(source, *tensor);
    EXPECT_EQ(HexOf(bytes), expected.value["bytes"].GetString()) << what << ": " << name;
    std::string pieces(bytes.size(), '\0');
    for (std::size_t at = 0, size = 0; at < bytes.size(); at += size) {
      size = std::min<std::size_t>(7, bytes.size() - at);
      ASSERT_TRUE(source.ReadPart(*tensor, at, size, pieces.data() + at));
    }
    EXPECT_EQ(pieces, bytes) << what << ": " << name;
  }
}

}  // namespace couplingd
