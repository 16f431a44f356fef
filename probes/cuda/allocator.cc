// What the worker asks of libtorch's CUDA allocator and streams, behind the C interface of
// cuda_half.h.
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <exception>

#define COUPLINGD_EXPORT extern "C" __attribute__((visibility("default")))

COUPLINGD_EXPORT int couplingd_cuda_current_stream(int device, void** stream) {
  try {
    *stream = c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device)).stream();
    return cudaSuccess;
  } catch (const std::exception&) {
    return cudaErrorUnknown;
  }
}

COUPLINGD_EXPORT int couplingd_cuda_limit_memory(int device, std::uint64_t bytes) {
  try {
    cudaDeviceProp properties{};
    const cudaError_t status = cudaGetDeviceProperties(&properties, device);
    if (status != cudaSuccess) return status;
    const double share =
        static_cast<double>(bytes) / static_cast<double>(properties.totalGlobalMem);
    c10::cuda::CUDACachingAllocator::setMemoryFraction(std::min(share, 1.0),
                                                       static_cast<c10::DeviceIndex>(device));
    return cudaSuccess;
  } catch (const std::exception&) {
    return cudaErrorUnknown;
  }
}
