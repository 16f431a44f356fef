// Where a model is computed: on which device and in which floating-point type. No libtorch in this
// header.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "probes/cuda/cuda_half.h"

namespace couplingd {

enum class ComputeType { kFp32, kBf16, kFp16 };

std::string_view ToString(ComputeType type);  // "fp32", "bf16", "fp16"

struct Place {
  int cuda_index = -1;  // −1: the CPU
  ComputeType type = ComputeType::kFp32;
  CudaHalf cuda;     // opened where cuda_index ≥ 0
  std::string note;  // what the user should know of the choice; otherwise empty

  std::string DeviceName() const;  // "cpu", "cuda:0"
};

struct PlaceRequest {
  std::string device = "auto";  // auto, cpu, cuda, cuda:N
  std::string dtype = "auto";   // auto, fp32, bf16, fp16
  std::string weights_dtype;    // of the checkpoint, as safetensors spells it: "F32", "BF16", "F16"
  std::string cuda_library;     // path of libcouplingd_cuda.so; empty: beside the code that asks
};

// Opens the CUDA half before the first question about CUDA, since libtorch remembers the answer.
// With `auto` a missing half or device leads to the CPU and a note; asked for by name it is
// kUnavailable. Type `auto` is fp32 on the CPU, and on CUDA what the weights are stored in.
Result<Place> ChoosePlace(const PlaceRequest& request);

}  // namespace couplingd
