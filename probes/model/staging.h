// Memory for tensors as a file holds them, on the way to their place: a few blocks that threads
// share, so that loading needs little more memory than the model.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <semaphore>
#include <utility>
#include <vector>

#include "probes/device/factory.h"

namespace couplingd {

class StagingBuffers {
 public:
  // The factory outlives it.
  explicit StagingBuffers(const TensorFactory& factory) : factory_(factory) {}

  // A block for as long as it lives.
  class Lease {
   public:
    Lease(StagingBuffers& buffers, std::uint64_t size) : buffers_(buffers) {
      block_ = buffers_.Take();
      const auto bytes = static_cast<std::int64_t>(size);
      if (block_.defined() && block_.numel() >= bytes) return;
      block_.reset();  // what is too small goes before its successor comes
      try {
        block_ = buffers_.factory_.Staging(bytes);
      } catch (...) {
        buffers_.Give({});
        throw;
      }
    }
    ~Lease() { buffers_.Give(std::move(block_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    std::byte* bytes() const { return static_cast<std::byte*>(block_.mutable_data_ptr()); }
    // Its beginning as a tensor of the file; valid as long as the lease.
    at::Tensor As(at::IntArrayRef shape, at::ScalarType type) const {
      std::int64_t bytes = static_cast<std::int64_t>(c10::elementSize(type));
      for (const std::int64_t size : shape) bytes *= size;
      return block_.narrow(0, 0, bytes).view(type).view(shape);
    }

   private:
    StagingBuffers& buffers_;
    at::Tensor block_;
  };

  // Gives back the blocks that nobody holds.
  void Clear() {
    const std::lock_guard lock(mutex_);
    blocks_.clear();
  }

 private:
  static constexpr int kBlocks = 4;  // a reader and converters beside it; more only cost memory

  at::Tensor Take() {
    free_.acquire();
    const std::lock_guard lock(mutex_);
    if (blocks_.empty()) return {};
    at::Tensor block = std::move(blocks_.back());
    blocks_.pop_back();
    return block;
  }

  void Give(at::Tensor block) {
    {
      const std::lock_guard lock(mutex_);
      blocks_.push_back(std::move(block));
    }
    free_.release();
  }

  const TensorFactory& factory_;
  std::counting_semaphore<kBlocks> free_{kBlocks};
  std::mutex mutex_;
  std::vector<at::Tensor> blocks_;
};

}  // namespace couplingd
