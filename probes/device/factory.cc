#include "probes/device/factory.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

namespace couplingd {
namespace {

at::ScalarType ScalarTypeOf(ComputeType type) {
  switch (type) {
    case ComputeType::kBf16:
      return at::kBFloat16;
    case ComputeType::kFp16:
      return at::kHalf;
    case ComputeType::kFp32:
      break;
  }
  return at::kFloat;
}

template <typename T>
at::Tensor Copied(std::span<const T> values, at::IntArrayRef shape, at::ScalarType from,
                  at::Device device, at::ScalarType to) {
  at::Tensor tensor = at::empty(shape, at::TensorOptions(device).dtype(to));
  tensor.copy_(
      at::from_blob(const_cast<T*>(values.data()), shape, at::TensorOptions(at::kCPU).dtype(from)));
  return tensor;
}

}  // namespace

TensorFactory::TensorFactory(const Place& place)
    : device_(place.cuda_index < 0
                  ? at::Device(at::kCPU)
                  : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(place.cuda_index))),
      dtype_(ScalarTypeOf(place.type)) {}

at::Tensor TensorFactory::Empty(at::IntArrayRef shape, at::ScalarType dtype) const {
  return at::empty(shape, at::TensorOptions(device_).dtype(dtype));
}

at::Tensor TensorFactory::Indices(std::span<const std::int64_t> values) const {
  return Copied(values, {static_cast<std::int64_t>(values.size())}, at::kLong, device_, at::kLong);
}

at::Tensor TensorFactory::TokenIds(std::span<const std::int32_t> values) const {
  return Copied(values, {static_cast<std::int64_t>(values.size())}, at::kInt, device_, at::kInt);
}

at::Tensor TensorFactory::Values(std::span<const float> values, at::IntArrayRef shape,
                                 at::ScalarType dtype) const {
  return Copied(values, shape, at::kFloat, device_, dtype);
}

at::Tensor TensorFactory::Flags(std::span<const std::uint8_t> values, at::IntArrayRef shape) const {
  return Copied(values, shape, at::kBool, device_, at::kBool);
}

at::Tensor TensorFactory::Staging(std::int64_t bytes) const {
  return at::empty({bytes},
                   at::TensorOptions(at::kCPU).dtype(at::kByte).pinned_memory(!device_.is_cpu()));
}

}  // namespace couplingd
