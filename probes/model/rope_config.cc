#include "probes/model/rope_config.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace couplingd {
namespace {

constexpr std::string_view kOriginal = "original_max_position_embeddings";

struct NamedScaling {
  std::string_view name;
  RopeScalingKind kind;
};
// Below max_position_embeddings, which no text exceeds here, "dynamic" changes nothing. "su" and
// phi3's "yarn" are what early Phi-3 files call longrope.
constexpr std::array kScalings = {
    NamedScaling{"default", RopeScalingKind::kNone},
    NamedScaling{"dynamic", RopeScalingKind::kNone},
    NamedScaling{"linear", RopeScalingKind::kLinear},
    NamedScaling{"llama3", RopeScalingKind::kLlama3},
    NamedScaling{"yarn", RopeScalingKind::kYarn},
    NamedScaling{"longrope", RopeScalingKind::kLongRope},
    NamedScaling{"su", RopeScalingKind::kLongRope},
    NamedScaling{"proportional", RopeScalingKind::kProportional},
};

// One dict of rotary parameters, beside the whole file.
class RopeReader {
 public:
  RopeReader(const ConfigReader& file, const ConfigReader& dict, const Family& family,
             const ModelConfig& config)
      : file_(file), dict_(dict), family_(family), config_(config) {}

  Result<Rope> Read(double theta, double partial) const {
    Rope rope;
    rope.theta = TRY(dict_.Positive("rope_theta")).value_or(theta);
    partial = TRY(dict_.Positive("partial_rotary_factor")).value_or(partial);
    if (partial > 1) {
      return BadField(file_.source(), "partial_rotary_factor",
                      fmt::format("is {}; it is a share of the head, at most 1", partial));
    }
    const auto head = static_cast<double>(config_.head_dim);
    rope.scaling.kind = TRY(Kind());
    rope.dim = static_cast<std::int64_t>(head * partial);
    if (rope.scaling.kind == RopeScalingKind::kProportional) {
      rope.dim = config_.head_dim;
      rope.scaling.rotating_pairs = static_cast<std::int64_t>(std::floor(partial * head / 2));
    }
    if (rope.dim < 2 || rope.dim % 2 != 0) {
      return BadField(file_.source(), "head_dim",
                      fmt::format("gives {} rotating elements per head; it must be an even number "
                                  "of at least 2",
                                  rope.dim));
    }
    TRY(ReadScaling(rope));
    return rope;
  }

 private:
  Result<RopeScalingKind> Kind() const {
    std::optional<std::string> type = TRY(dict_.Text("rope_type"));
    if (!type) type = TRY(dict_.Text("type"));
    if (!type) return RopeScalingKind::kNone;
    for (const NamedScaling& row : kScalings) {
      if (row.name != *type) continue;
      const bool is_longrope = row.kind == RopeScalingKind::kYarn && family_.yarn_is_longrope;
      return is_longrope ? RopeScalingKind::kLongRope : row.kind;
    }
    return Fail(ErrorKind::kUnsupported, fmt::format("{}: rope_type \"{}\"", dict_.source(), *type),
                "known are default, linear, dynamic, llama3, yarn, longrope and proportional");
  }

  Status ReadScaling(Rope& rope) const {
    using enum RopeScalingKind;
    RopeScaling& scaling = rope.scaling;
    const RopeScalingKind kind = scaling.kind;
    if (kind == kNone) return {};
    std::optional<double> factor = TRY(dict_.Positive("factor"));
    if (kind == kProportional) factor = factor.value_or(1);
    if (kind == kLlama3 || kind == kYarn || kind == kLongRope) {
      std::optional<double> original = TRY(file_.Positive(kOriginal));
      if (!original) original = TRY(dict_.Positive(kOriginal));
      if (!original && family_.original_max_positions > 0) {
        original = static_cast<double>(family_.original_max_positions);
      }
      scaling.original_max_positions =
          original.value_or(static_cast<double>(config_.max_positions));
    }
    if (!factor && (kind == kYarn || kind == kLongRope)) {
      factor = static_cast<double>(config_.max_positions) / scaling.original_max_positions;
    }
    if (!factor) return BadField(dict_.source(), "factor", "is missing");
    scaling.factor = *factor;
    if (kind == kLlama3) return ReadLlama3(scaling);
    if (kind == kYarn) return ReadYarn(scaling);
    if (kind == kLongRope) return ReadLongRope(rope);
    return {};
  }

  Status ReadLlama3(RopeScaling& scaling) const {
    scaling.low_frequency_factor = TRY(dict_.Positive("low_freq_factor")).value_or(1.0);
    scaling.high_frequency_factor = TRY(dict_.Positive("high_freq_factor")).value_or(4.0);
    if (scaling.high_frequency_factor <= scaling.low_frequency_factor) {
      return BadField(dict_.source(), "high_freq_factor", "must be above low_freq_factor");
    }
    return {};
  }

  // Peng et al., "YaRN", 2023.
  Status ReadYarn(RopeScaling& scaling) const {
    scaling.beta_fast = TRY(dict_.Positive("beta_fast")).value_or(32);
    scaling.beta_slow = TRY(dict_.Positive("beta_slow")).value_or(1);
    scaling.truncate = TRY(dict_.Flag({"truncate", true}));
    const double factor = scaling.factor;
    const auto magnitude = [&](double scale) {
      return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1;
    };
    const std::optional<double> scale = TRY(dict_.Positive("mscale"));
    const std::optional<double> scale_all = TRY(dict_.Positive("mscale_all_dim"));
    const double inferred =
        scale && scale_all ? magnitude(*scale) / magnitude(*scale_all) : magnitude(1);
    scaling.attention_factor = TRY(dict_.Positive("attention_factor")).value_or(inferred);
    return {};
  }

  // Ding et al., "LongRoPE", 2024.
  Status ReadLongRope(Rope& rope) const {
    RopeScaling& scaling = rope.scaling;
    const double inferred =
        scaling.factor <= 1
            ? 1
            : std::sqrt(1 + std::log(scaling.factor) / std::log(scaling.original_max_positions));
    scaling.attention_factor = TRY(dict_.Positive("attention_factor")).value_or(inferred);
    scaling.short_factors = TRY(PairFactors("short_factor", rope.dim / 2));
    scaling.long_factors = TRY(PairFactors("long_factor", rope.dim / 2));
    return {};
  }

  Result<std::vector<double>> PairFactors(std::string_view key, std::int64_t pairs) const {
    std::optional<std::vector<double>> factors = TRY(dict_.Numbers(key));
    if (!factors || std::ssize(*factors) != pairs) {
      return BadField(dict_.source(), key,
                      fmt::format("must list {} numbers, one per rotating pair", pairs));
    }
    for (const double factor : *factors) {
      if (!(std::isfinite(factor) && factor > 0)) {
        return BadField(dict_.source(), key, "must hold positive numbers");
      }
    }
    return std::move(*factors);
  }

  const ConfigReader& file_;
  const ConfigReader& dict_;
  const Family& family_;
  const ModelConfig& config_;
};

}  // namespace

Status ReadRopes(const ConfigReader& reader, const Family& family, ModelConfig& config) {
  config.rotary = family.rotary;
  if (config.rotary == Rotary::kNone) return {};
  static const JsonValue kEmpty(rapidjson::kObjectType);
  const JsonValue* dict = TRY(reader.Object("rope_parameters"));
  if (dict == nullptr) dict = TRY(reader.Object("rope_scaling"));
  if (dict == nullptr) dict = &kEmpty;

  double theta = family.rope_theta;
  for (const std::string_view key : {"rotary_emb_base", "rope_theta"}) {
    theta = TRY(reader.Positive(key)).value_or(theta);
  }
  double partial = family.partial_rotary_factor;
  for (const std::string_view key : {"rotary_pct", "partial_rotary_factor"}) {
    partial = TRY(reader.Positive(key)).value_or(partial);
  }
  const std::string source = fmt::format("{}: rope parameters", reader.source());
  const auto read = [&](const JsonValue* from, double theta_of, double partial_of) {
    const ConfigReader in_dict(from == nullptr ? kEmpty : *from, source);
    return RopeReader(reader, in_dict, family, config).Read(theta_of, partial_of);
  };
  if (family.sliding_rope_theta == 0) {
    config.ropes.push_back(TRY(read(dict, theta, partial)));
    return {};
  }
  const ConfigReader nested(*dict, source);
  const JsonValue* full = TRY(nested.Object("full_attention"));
  const JsonValue* sliding = TRY(nested.Object("sliding_attention"));
  const bool is_nested = full != nullptr || sliding != nullptr;
  double sliding_theta = family.sliding_rope_theta;
  if (!family.sliding_theta_key.empty()) {
    sliding_theta = TRY(reader.Positive(family.sliding_theta_key)).value_or(sliding_theta);
  }
  config.ropes.push_back(TRY(read(is_nested ? full : dict, theta, partial)));
  config.ropes.push_back(TRY(read(sliding, sliding_theta, 1)));
  return {};
}

}  // namespace couplingd
