// The C interface of libcouplingd_cuda.so, which is opened at run time where a GPU is. Nothing of
// C++, libtorch or CUDA crosses it.
#pragma once

#include <cstdint>

namespace couplingd {

enum class LogitType : int { kFp32 = 0, kBf16 = 1, kFp16 = 2 };

// All functions return 0 or an error code for error_text.
struct CudaHalf {
  // Row r of logits ([rows, vocab], row-major, row_stride elements apart) is turned into
  // log-probabilities; targets[target_begin[r] … target_begin[r + 1]) are looked up in it.
  // log_probabilities and is_argmax have one element per target; is_argmax says whether the target
  // is the row's first maximum. A NaN in a row gives NaN. All pointers are device pointers; the
  // call only enqueues onto `stream`.
  int (*token_scores)(const void* logits, int logit_type, std::int64_t rows, std::int64_t vocab,
                      std::int64_t row_stride, const std::int64_t* target_begin,
                      const std::int32_t* targets, float* log_probabilities,
                      unsigned char* is_argmax, void* stream) = nullptr;

  // The stream that libtorch enqueues onto for this device.
  int (*current_stream)(int device, void** stream) = nullptr;

  // Caps what libtorch's allocator takes on the device.
  int (*limit_memory)(int device, std::uint64_t bytes) = nullptr;

  const char* (*error_text)(int code) = nullptr;
};

}  // namespace couplingd
