#include "probes/internals/reinitialised_source.h"

#include <cstring>
#include <map>
#include <string>

#include "base/hash.h"
#include "base/random.h"

namespace couplingd {
namespace {

constexpr double kInitializerRange = 0.02;

class ReinitialisedSource final : public TensorSource {
 public:
  ReinitialisedSource(const std::vector<TensorInfo>& tensors, const ModelConfig& config,
                      std::uint64_t seed)
      : tensors_(tensors), config_(config), seed_(seed) {
    for (const ExpectedTensor& expected : ExpectedTensors(config)) {
      expected_.emplace(expected.name, expected);
    }
    for (TensorInfo& tensor : tensors_) {
      tensor.dtype = DType::kF32;
      tensor.bytes = static_cast<std::uint64_t>(tensor.Elements()) * sizeof(float);
    }
  }

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }

  Status ReadPart(const TensorInfo& tensor, std::uint64_t begin, std::uint64_t size,
                  void* into) const override {
    const std::vector<float> values = Values(tensor);
    std::memcpy(into, reinterpret_cast<const char*>(values.data()) + begin, size);
    return {};
  }

  Status CheckUnchanged() const override { return {}; }

 private:
  std::vector<float> Values(const TensorInfo& tensor) const {
    std::vector<float> values(static_cast<std::size_t>(tensor.Elements()), 0.0f);
    const auto expected = expected_.find(CanonicalTensorName(config_, tensor.name));
    const bool is_factor = expected != expected_.end() && IsFactor(expected->second.role);
    if (expected != expected_.end() && expected->second.is_bias) return values;
    if (is_factor) {
      values.assign(values.size(), config_.norm == NormKind::kRmsNormOnePlus ? 0.0f : 1.0f);
      return values;
    }
    const std::string digest = HashHex(tensor.name).substr(0, 16);
    Random random(seed_ ^ std::stoull(digest, nullptr, 16));
    for (float& value : values) value = static_cast<float>(kInitializerRange * random.Normal());
    return values;
  }

  std::vector<TensorInfo> tensors_;
  const ModelConfig config_;
  const std::uint64_t seed_;
  std::map<std::string, ExpectedTensor> expected_;
};

}  // namespace

std::unique_ptr<TensorSource> MakeReinitialisedSource(const std::vector<TensorInfo>& tensors,
                                                      const ModelConfig& config,
                                                      std::uint64_t seed) {
  return std::make_unique<ReinitialisedSource>(tensors, config, seed);
}

}  // namespace couplingd
