#include "probes/model/rotary.h"

#include <algorithm>
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

// Share of pair j that is interpolated: 0 for pairs that turn often within the original context, 1
// for those that never complete beta_slow turns, a ramp between (Peng et al., "YaRN", 2023).
float YarnInterpolation(std::int64_t j, const Rope& rope) {
  const RopeScaling& scaling = rope.scaling;
  const auto dim = static_cast<double>(rope.dim);
  const auto pair_of_turns = [&](double turns) {
    return dim * std::log(scaling.original_max_positions / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(rope.theta));
  };
  double low = pair_of_turns(scaling.beta_fast), high = pair_of_turns(scaling.beta_slow);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  if (low == high) high += 0.001;
  return std::clamp(
      (static_cast<float>(j) - static_cast<float>(low)) / static_cast<float>(high - low), 0.0f,
      1.0f);
}

}  // namespace

std::int64_t LongestShortText(const ModelConfig& config) {
  for (const Rope& rope : config.ropes) {
    if (rope.scaling.kind == RopeScalingKind::kLongRope) {
      return static_cast<std::int64_t>(rope.scaling.original_max_positions);
    }
  }
  return 0;
}

std::vector<float> InverseFrequencies(const Rope& rope, bool is_long) {
  const RopeScaling& scaling = rope.scaling;
  const auto factor = static_cast<float>(scaling.factor);
  std::vector<float> frequencies;
  for (std::int64_t j = 0; j < rope.dim / 2; ++j) {
    const float exponent = static_cast<float>(2 * j) / static_cast<float>(rope.dim);
    const float power = std::pow(static_cast<float>(rope.theta), exponent);
    float frequency = 1.0f / power;
    switch (scaling.kind) {
      case RopeScalingKind::kNone:
        break;
      case RopeScalingKind::kLinear:
        frequency /= factor;
        break;
      case RopeScalingKind::kLlama3:
        frequency = Llama3Scaled(frequency, scaling);
        break;
      case RopeScalingKind::kYarn: {
        const float share = YarnInterpolation(j, rope);
        frequency = 1.0f / (factor * power) * share + frequency * (1 - share);
        break;
      }
      case RopeScalingKind::kLongRope: {
        const auto& factors = is_long ? scaling.long_factors : scaling.short_factors;
        frequency = 1.0f / (static_cast<float>(factors[static_cast<std::size_t>(j)]) * power);
        break;
      }
      case RopeScalingKind::kProportional:
        frequency = j < scaling.rotating_pairs ? frequency / factor : 0.0f;
        break;
    }
    frequencies.push_back(frequency);
  }
  return frequencies;
}

}  // namespace couplingd
