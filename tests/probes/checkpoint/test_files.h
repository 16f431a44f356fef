// Small helpers that the tests of this room share.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace couplingd {

inline std::string DataPath(const std::string& name) {
  return std::string(COUPLINGD_SOURCE_DIR) + "/tests/probes/checkpoint/data/" + name;
}

// A directory of its own that is removed afterwards.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = (std::filesystem::temp_directory_path() / "couplingd-test-XXXXXX").string();
    path_ = std::filesystem::canonical(::mkdtemp(path.data())).string();
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

  // A copy of a fixture directory, under the given name.
  std::string Copy(const std::string& fixture, const std::string& name) const {
    std::filesystem::copy(DataPath(fixture), *this / name,
                          std::filesystem::copy_options::recursive);
    return *this / name;
  }

 private:
  std::string path_;
};

inline void WriteText(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary)
      .write(text.data(), static_cast<std::streamsize>(text.size()));
}

inline std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The bytes of a safetensors file with this header.
inline std::string SafetensorsBytes(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0, n = header.size(); i < 8; ++i, n >>= 8)
    bytes[i] = static_cast<char>(n & 255);
  return bytes + header + data;
}

// Gives every file below the folder one time, as if all had been written at once.
inline void SetTimes(const std::string& folder) {
  const auto now = std::filesystem::file_time_type::clock::now();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) std::filesystem::last_write_time(entry.path(), now);
  }
}

}  // namespace couplingd
