#include "probes/checkpoint/weights_hasher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/hash.h"

namespace couplingd {
namespace {

constexpr std::uint64_t kPieceBytes = 4u << 20;

Result<std::string> HashOfTensor(const TensorSource& source, const TensorInfo& tensor) {
  StreamHash hash;
  std::vector<char> piece(std::min(kPieceBytes, tensor.bytes));
  for (std::uint64_t begin = 0; begin < tensor.bytes; begin += kPieceBytes) {
    const std::uint64_t size = std::min(kPieceBytes, tensor.bytes - begin);
    TRY(source.ReadPart(tensor, begin, size, piece.data()));
    hash.Update(piece.data(), size);
  }
  return hash.Hex();
}

}  // namespace

void WeightsHasher::Keep(const TensorInfo& tensor, std::string hash) {
  // The name's length comes first, so that no name can pretend to be the fields that follow it.
  std::string line = fmt::format("{}:{} {} [{}] {}\n", tensor.name.size(), tensor.name,
                                 ToString(tensor.dtype), fmt::join(tensor.shape, ","), hash);
  const std::lock_guard lock(mutex_);
  entries_.insert_or_assign(tensor.name, std::move(line));
}

void WeightsHasher::Add(const TensorInfo& tensor, const void* bytes) {
  Keep(tensor, HashHex({static_cast<const char*>(bytes), tensor.bytes}));
}

Result<std::string> WeightsHasher::Finish(const TensorSource& source) {
  StreamHash all;
  for (const TensorInfo& tensor : source.tensors()) {
    const auto known = [&] {
      const std::lock_guard lock(mutex_);
      return entries_.contains(tensor.name);
    }();
    if (!known) Keep(tensor, TRY(HashOfTensor(source, tensor)));
    const std::lock_guard lock(mutex_);
    all.Update(entries_.find(tensor.name)->second);
  }
  return all.Hex();
}

}  // namespace couplingd
