// XXH3-128, for identity (never for security).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace couplingd {

// 32 hexadecimal digits.
std::string HashHex(std::string_view bytes);

// The same over a stream of pieces; the split into pieces does not matter. Not thread-safe.
class StreamHash {
 public:
  StreamHash();
  ~StreamHash();
  StreamHash(StreamHash&&) noexcept;
  void Update(const void* bytes, std::size_t size);
  void Update(std::string_view bytes) { Update(bytes.data(), bytes.size()); }
  std::string Hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace couplingd
