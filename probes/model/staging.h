// Memory for tensors as a file holds them, on the way to their place: a few blocks that threads
// share, so that loading needs little more memory than the model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <semaphore>
#include <vector>

namespace couplingd {

class StagingBuffers {
  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    std::uint64_t size = 0;
  };

 public:
  // A block for as long as it lives.
  class Lease {
   public:
    Lease(StagingBuffers& buffers, std::uint64_t size) : buffers_(buffers) {
      block_ = buffers_.Take();
      if (block_.size >= size) return;
      block_ = {};  // what is too small goes before its successor comes
      block_ = {std::make_unique_for_overwrite<std::byte[]>(size), size};
    }
    ~Lease() { buffers_.Give(std::move(block_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    std::byte* bytes() const { return block_.bytes.get(); }

   private:
    StagingBuffers& buffers_;
    Block block_;
  };

 private:
  static constexpr int kBlocks = 4;  // a reader and converters beside it; more only cost memory

  Block Take() {
    free_.acquire();
    const std::lock_guard lock(mutex_);
    if (blocks_.empty()) return {};
    Block block = std::move(blocks_.back());
    blocks_.pop_back();
    return block;
  }

  void Give(Block block) {
    {
      const std::lock_guard lock(mutex_);
      blocks_.push_back(std::move(block));
    }
    free_.release();
  }

  std::counting_semaphore<kBlocks> free_{kBlocks};
  std::mutex mutex_;
  std::vector<Block> blocks_;
};

}  // namespace couplingd
