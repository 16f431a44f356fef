// Where tensors come from. Every tensor of the worker is made here, so that none is left on the
// wrong device or in the wrong dtype by a forgotten argument; a test bans the bare factories
// elsewhere.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "base/result.h"
#include "probes/device/place.h"

namespace couplingd {

class TensorFactory {
 public:
  TensorFactory(at::Device device, at::ScalarType dtype) : device_(device), dtype_(dtype) {}
  explicit TensorFactory(const Place& place);

  at::Device device() const { return device_; }
  at::ScalarType dtype() const { return dtype_; }  // of weights and activations

  at::Tensor Empty(at::IntArrayRef shape) const { return Empty(shape, dtype_); }
  at::Tensor Empty(at::IntArrayRef shape, at::ScalarType dtype) const;

  // Copies of host values, on the device.
  at::Tensor Indices(std::span<const std::int64_t> values) const;   // int64 [n]
  at::Tensor TokenIds(std::span<const std::int32_t> values) const;  // int32 [n]
  at::Tensor Values(std::span<const float> values, at::IntArrayRef shape,
                    at::ScalarType dtype) const;
  at::Tensor Flags(std::span<const std::uint8_t> values, at::IntArrayRef shape) const;  // bool

  // Host memory that the device copies from without the CPU, where the device is one.
  at::Tensor Staging(std::int64_t bytes) const;  // uint8 [bytes], on the CPU

 private:
  at::Device device_;
  at::ScalarType dtype_;
};

}  // namespace couplingd
