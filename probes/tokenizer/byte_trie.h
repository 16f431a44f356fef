// Texts with a number each, found byte by byte.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace couplingd {

class ByteTrie {
 public:
  static constexpr std::uint32_t kRoot = 0;

  // The number of the text, -1 until it is set. Valid until the next call.
  std::int32_t& At(std::string_view text) {
    std::uint32_t node = kRoot;
    for (const char byte : text) {
      const auto next = static_cast<std::uint32_t>(numbers_.size());
      const auto [edge, is_new] = edges_.emplace(EdgeKey(node, byte), next);
      if (is_new) numbers_.push_back(-1);
      node = edge->second;
    }
    return numbers_[node];
  }

  // One byte further; nullopt where no text goes on so.
  std::optional<std::uint32_t> Child(std::uint32_t node, char byte) const {
    const auto edge = edges_.find(EdgeKey(node, byte));
    return edge == edges_.end() ? std::nullopt : std::optional(edge->second);
  }
  std::int32_t NumberOf(std::uint32_t node) const { return numbers_[node]; }

 private:
  static std::uint64_t EdgeKey(std::uint32_t node, char byte) {
    return static_cast<std::uint64_t>(node) << 8 | static_cast<unsigned char>(byte);
  }

  boost::unordered_flat_map<std::uint64_t, std::uint32_t> edges_;
  std::vector<std::int32_t> numbers_{-1};  // by node
};

}  // namespace couplingd
