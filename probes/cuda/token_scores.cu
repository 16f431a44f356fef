// Log-probabilities of target tokens: one block per row, one pass over the row, no row of
// probabilities is ever written.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "probes/cuda/token_scores.h"

namespace couplingd {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;

__device__ float AsFloat(float value) { return value; }
__device__ float AsFloat(__half value) { return __half2float(value); }
__device__ float AsFloat(__nv_bfloat16 value) { return __bfloat162float(value); }

__device__ RowSummary FromLane(const RowSummary& mine, int distance) {
  RowSummary other;
  other.max = __shfl_down_sync(0xffffffffu, mine.max, distance);
  other.sum = __shfl_down_sync(0xffffffffu, mine.sum, distance);
  other.argmax = __shfl_down_sync(0xffffffffu, static_cast<long long>(mine.argmax), distance);
  return other;
}

__device__ void ReduceWarp(RowSummary& summary) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    summary.Merge(FromLane(summary, distance));
  }
}

template <typename T>
__global__ void TokenScores(const T* __restrict__ logits, std::int64_t vocab,
                            std::int64_t row_stride, const std::int64_t* __restrict__ target_begin,
                            const std::int32_t* __restrict__ targets,
                            float* __restrict__ log_probabilities,
                            unsigned char* __restrict__ is_argmax) {
  __shared__ float max_of[kThreads / kWarp];
  __shared__ float sum_of[kThreads / kWarp];
  __shared__ std::int64_t argmax_of[kThreads / kWarp];

  const std::int64_t row = blockIdx.x;
  const T* values = logits + row * row_stride;
  RowSummary summary;
  for (std::int64_t i = threadIdx.x; i < vocab; i += kThreads) summary.Add(AsFloat(values[i]), i);

  ReduceWarp(summary);
  const int warp = threadIdx.x / kWarp;
  if (threadIdx.x % kWarp == 0) {
    max_of[warp] = summary.max;
    sum_of[warp] = summary.sum;
    argmax_of[warp] = summary.argmax;
  }
  __syncthreads();

  RowSummary whole;
  for (int w = 0; w < kThreads / kWarp; ++w) {
    RowSummary part;
    part.max = max_of[w];
    part.sum = sum_of[w];
    part.argmax = argmax_of[w];
    whole.Merge(part);
  }
  for (std::int64_t i = target_begin[row] + threadIdx.x; i < target_begin[row + 1]; i += kThreads) {
    const std::int32_t target = targets[i];
    log_probabilities[i] = whole.LogProbability(AsFloat(values[target]));
    is_argmax[i] = target == whole.argmax;
  }
}

template <typename T>
cudaError_t Launch(const void* logits, std::int64_t rows, std::int64_t vocab,
                   std::int64_t row_stride, const std::int64_t* target_begin,
                   const std::int32_t* targets, float* log_probabilities, unsigned char* is_argmax,
                   cudaStream_t stream) {
  TokenScores<T><<<static_cast<unsigned>(rows), kThreads, 0, stream>>>(
      static_cast<const T*>(logits), vocab, row_stride, target_begin, targets, log_probabilities,
      is_argmax);
  return cudaGetLastError();
}

}  // namespace
}  // namespace couplingd

extern "C" __attribute__((visibility("default"))) int couplingd_cuda_token_scores(
    const void* logits, int logit_type, std::int64_t rows, std::int64_t vocab,
    std::int64_t row_stride, const std::int64_t* target_begin, const std::int32_t* targets,
    float* log_probabilities, unsigned char* is_argmax, void* stream) {
  constexpr std::int64_t kMaxRows = 0x7fffffff;
  if (rows < 0 || rows > kMaxRows || vocab < 1) return cudaErrorInvalidValue;
  if (rows == 0) return cudaSuccess;
  const auto on = static_cast<cudaStream_t>(stream);
  switch (logit_type) {
    case 0:
      return couplingd::Launch<float>(logits, rows, vocab, row_stride, target_begin, targets,
                                      log_probabilities, is_argmax, on);
    case 1:
      return couplingd::Launch<__nv_bfloat16>(logits, rows, vocab, row_stride, target_begin,
                                              targets, log_probabilities, is_argmax, on);
    case 2:
      return couplingd::Launch<__half>(logits, rows, vocab, row_stride, target_begin, targets,
                                       log_probabilities, is_argmax, on);
    default:
      return cudaErrorInvalidValue;
  }
}

extern "C" __attribute__((visibility("default"))) const char* couplingd_cuda_error_text(int code) {
  return cudaGetErrorString(static_cast<cudaError_t>(code));
}
