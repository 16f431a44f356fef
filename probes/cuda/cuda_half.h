// The C interface of libcouplingd_cuda.so, which is opened at run time where a GPU is. Nothing of
// C++, libtorch or CUDA crosses it.
#pragma once

#include <cstdint>

namespace couplingd {

enum class LogitType : int { kFp32 = 0, kBf16 = 1, kFp16 = 2 };

// All functions return 0 or an error code for error_text.
struct CudaHalf {
  // Joins one tile of logits ([rows, tokens], row-major, row_stride elements apart: tokens
  // [first_token, first_token + tokens) of the vocabulary) to what is known of each row:
  // summaries[rows], of a RowSummary each, which the tile with first_token 0 begins. Where a target
  // of targets[target_begin[r] … target_begin[r + 1]) lies in the tile, its logit is put into
  // target_logits at the same place. All pointers are device pointers; the call only enqueues onto
  // `stream`.
  int (*join_logits)(const void* logits, int logit_type, std::int64_t rows, std::int64_t tokens,
                     std::int64_t row_stride, std::int64_t first_token,
                     const std::int64_t* target_begin, const std::int32_t* targets, void* summaries,
                     float* target_logits, void* stream) = nullptr;

  // After the last tile: log_probabilities and is_argmax have one element per target; is_argmax
  // says whether the target is the row's first maximum. A NaN in a row gives NaN. Likewise
  // enqueued.
  int (*token_scores)(const void* summaries, std::int64_t rows, const std::int64_t* target_begin,
                      const std::int32_t* targets, const float* target_logits,
                      float* log_probabilities, unsigned char* is_argmax, void* stream) = nullptr;

  // The stream that libtorch enqueues onto for this device.
  int (*current_stream)(int device, void** stream) = nullptr;

  // Caps what libtorch's allocator takes on the device.
  int (*limit_memory)(int device, std::uint64_t bytes) = nullptr;

  const char* (*error_text)(int code) = nullptr;
};

}  // namespace couplingd
