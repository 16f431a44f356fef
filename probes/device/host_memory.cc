#include "probes/device/host_memory.h"

#include <c10/core/CPUAllocator.h>
#include <malloc.h>

#include <cstdint>
#include <cstdlib>

namespace couplingd {
namespace {

// Aligned as c10's own, by hand.
class HostAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t size) override {
    void* block = size > SIZE_MAX - c10::gAlignment ? nullptr : std::malloc(size + c10::gAlignment);
    if (block == nullptr)
      return c10::GetDefaultCPUAllocator()->allocate(size);  // knows how to fail
    const auto at = reinterpret_cast<std::uintptr_t>(block) + c10::gAlignment - 1;
    void* data = reinterpret_cast<void*>(at / c10::gAlignment * c10::gAlignment);
    return {data, block, &std::free, c10::Device(c10::DeviceType::CPU)};
  }

  void copy_data(void* to, const void* from, std::size_t size) const override {
    default_copy_data(to, from, size);
  }
};

}  // namespace

void KeepFreedMemory() {
  ReturnFreedMemory();
  constexpr int kLargestBlock = 32 << 20;  // the most that glibc allows
  constexpr int kMost = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kLargestBlock);
  mallopt(M_TRIM_THRESHOLD, kMost);
  constexpr std::uint8_t kBeforeDefault = 1;
  static HostAllocator allocator;
  c10::SetCPUAllocator(&allocator, kBeforeDefault);
}

void ReturnFreedMemory() { malloc_trim(0); }

}  // namespace couplingd
