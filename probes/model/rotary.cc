#include "probes/model/rotary.h"

#include <cmath>
#include <numbers>

namespace couplingd {
namespace {

// Long wavelengths are stretched, short ones kept, with a blend between (the scaling of Llama 3.1).
float Llama3Scaled(float frequency, const RopeScaling& scaling) {
  const auto original = static_cast<float>(scaling.original_max_positions);
  const auto low = static_cast<float>(scaling.low_frequency_factor);
  const auto high = static_cast<float>(scaling.high_frequency_factor);
  const auto factor = static_cast<float>(scaling.factor);
  const float wavelength = 2 * std::numbers::pi_v<float> / frequency;
  if (wavelength > original / low) return frequency / factor;
  if (wavelength < original / high) return frequency;
  const float smooth = (original / wavelength - low) / (high - low);
  return (1 - smooth) * frequency / factor + smooth * frequency;
}

}  // namespace

std::vector<float> InverseFrequencies(const ModelConfig& config) {
  const RopeScaling& scaling = config.rope_scaling;
  std::vector<float> frequencies;
  for (std::int64_t j = 0; j < config.rotary_dim; j += 2) {
    const float exponent = static_cast<float>(j) / static_cast<float>(config.rotary_dim);
    float frequency = 1.0f / std::pow(static_cast<float>(config.rope_theta), exponent);
    if (scaling.kind == RopeScalingKind::kLinear) frequency /= static_cast<float>(scaling.factor);
    if (scaling.kind == RopeScalingKind::kLlama3) frequency = Llama3Scaled(frequency, scaling);
    frequencies.push_back(frequency);
  }
  return frequencies;
}

}  // namespace couplingd
