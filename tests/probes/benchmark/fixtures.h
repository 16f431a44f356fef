// What the tests of this room share.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/files.h"
#include "base/result.h"

namespace couplingd {

inline std::string Data(const std::string& name) {
  return std::string(COUPLINGD_SOURCE_DIR) + "/tests/probes/benchmark/data/" + name;
}

// The value; a test that reads an error here fails with its text.
template <typename T>
T Value(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().Text();
    throw std::runtime_error(result.error().Text());
  }
  return std::move(*result);
}

inline std::string TemporaryFolder() {
  std::string path = testing::TempDir() + "couplingd-benchmark-XXXXXX";
  if (!mkdtemp(path.data())) throw std::runtime_error("no temporary folder");
  return path;
}

inline void Write(const std::string& path, const std::string& text) {
  ASSERT_TRUE(WriteFileAtomically(path, text));
}

}  // namespace couplingd
