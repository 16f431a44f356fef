// Log-probabilities of target tokens from tiles of the vocabulary: one block per row, one pass over
// each tile, no row of logits or probabilities is ever whole.
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

// Logits that one thread loads at once.
template <typename T>
struct alignas(16) Vector {
  static constexpr int kSize = 16 / sizeof(T);
  T values[kSize];
};

template <typename T>
__device__ RowSummary SummaryOfThread(const T* __restrict__ values, std::int64_t tokens,
                                      std::int64_t first_token) {
  constexpr int kSize = Vector<T>::kSize;
  RowSummary summary;
  const bool is_aligned = reinterpret_cast<std::uintptr_t>(values) % sizeof(Vector<T>) == 0;
  const std::int64_t vectors = is_aligned ? tokens / kSize : 0;
  for (std::int64_t i = threadIdx.x; i < vectors; i += kThreads) {
    const Vector<T> vector = reinterpret_cast<const Vector<T>*>(values)[i];
#pragma unroll
    for (int k = 0; k < kSize; ++k) {
      summary.Add(AsFloat(vector.values[k]), first_token + i * kSize + k);
    }
  }
  for (std::int64_t i = vectors * kSize + threadIdx.x; i < tokens; i += kThreads) {
    summary.Add(AsFloat(values[i]), first_token + i);
  }
  return summary;
}

// The summaries of all threads of a block, merged; the same in every thread.
__device__ RowSummary MergeBlock(RowSummary summary) {
  __shared__ float max_of[kThreads / kWarp];
  __shared__ float sum_of[kThreads / kWarp];
  __shared__ std::int64_t argmax_of[kThreads / kWarp];
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
  return whole;
}

template <typename T>
__global__ void JoinLogits(const T* __restrict__ logits, std::int64_t tokens,
                           std::int64_t row_stride, std::int64_t first_token,
                           const std::int64_t* __restrict__ target_begin,
                           const std::int32_t* __restrict__ targets,
                           RowSummary* __restrict__ summaries, float* __restrict__ target_logits) {
  const std::int64_t row = blockIdx.x;
  const T* values = logits + row * row_stride;
  const RowSummary tile = MergeBlock(SummaryOfThread(values, tokens, first_token));
  if (threadIdx.x == 0) {
    RowSummary whole = first_token == 0 ? RowSummary() : summaries[row];
    whole.Merge(tile);
    summaries[row] = whole;
  }
  for (std::int64_t i = target_begin[row] + threadIdx.x; i < target_begin[row + 1]; i += kThreads) {
    const std::int64_t column = targets[i] - first_token;
    if (column >= 0 && column < tokens) target_logits[i] = AsFloat(values[column]);
  }
}

__global__ void TokenScores(const RowSummary* __restrict__ summaries,
                            const std::int64_t* __restrict__ target_begin,
                            const std::int32_t* __restrict__ targets,
                            const float* __restrict__ target_logits,
                            float* __restrict__ log_probabilities,
                            unsigned char* __restrict__ is_argmax) {
  const RowSummary row = summaries[blockIdx.x];
  const std::int64_t end = target_begin[blockIdx.x + 1];
  for (std::int64_t i = target_begin[blockIdx.x] + threadIdx.x; i < end; i += kWarp) {
    log_probabilities[i] = row.LogProbability(target_logits[i]);
    is_argmax[i] = targets[i] == row.argmax;
  }
}

bool CanLaunch(std::int64_t rows) {
  constexpr std::int64_t kMaxRows = 0x7fffffff;
  return rows >= 0 && rows <= kMaxRows;
}

template <typename T>
cudaError_t LaunchJoin(const void* logits, std::int64_t rows, std::int64_t tokens,
                       std::int64_t row_stride, std::int64_t first_token,
                       const std::int64_t* target_begin, const std::int32_t* targets,
                       void* summaries, float* target_logits, cudaStream_t stream) {
  JoinLogits<T><<<static_cast<unsigned>(rows), kThreads, 0, stream>>>(
      static_cast<const T*>(logits), tokens, row_stride, first_token, target_begin, targets,
      static_cast<RowSummary*>(summaries), target_logits);
  return cudaGetLastError();
}

}  // namespace
}  // namespace couplingd

extern "C" __attribute__((visibility("default"))) int couplingd_cuda_join_logits(
    const void* logits, int logit_type, std::int64_t rows, std::int64_t tokens,
    std::int64_t row_stride, std::int64_t first_token, const std::int64_t* target_begin,
    const std::int32_t* targets, void* summaries, float* target_logits, void* stream) {
  if (!couplingd::CanLaunch(rows) || tokens < 1 || first_token < 0) return cudaErrorInvalidValue;
  if (rows == 0) return cudaSuccess;
  const auto on = static_cast<cudaStream_t>(stream);
  switch (logit_type) {
    case 0:
      return couplingd::LaunchJoin<float>(logits, rows, tokens, row_stride, first_token,
                                          target_begin, targets, summaries, target_logits, on);
    case 1:
      return couplingd::LaunchJoin<__nv_bfloat16>(logits, rows, tokens, row_stride, first_token,
                                                  target_begin, targets, summaries, target_logits,
                                                  on);
    case 2:
      return couplingd::LaunchJoin<__half>(logits, rows, tokens, row_stride, first_token,
                                           target_begin, targets, summaries, target_logits, on);
    default:
      return cudaErrorInvalidValue;
  }
}

extern "C" __attribute__((visibility("default"))) int couplingd_cuda_token_scores(
    const void* summaries, std::int64_t rows, const std::int64_t* target_begin,
    const std::int32_t* targets, const float* target_logits, float* log_probabilities,
    unsigned char* is_argmax, void* stream) {
  if (!couplingd::CanLaunch(rows)) return cudaErrorInvalidValue;
  if (rows == 0) return cudaSuccess;
  couplingd::TokenScores<<<static_cast<unsigned>(rows), couplingd::kWarp, 0,
                           static_cast<cudaStream_t>(stream)>>>(
      static_cast<const couplingd::RowSummary*>(summaries), target_begin, targets, target_logits,
      log_probabilities, is_argmax);
  return cudaGetLastError();
}

extern "C" __attribute__((visibility("default"))) const char* couplingd_cuda_error_text(int code) {
  return cudaGetErrorString(static_cast<cudaError_t>(code));
}
