#include "probes/model/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>

#include "base/files.h"
#include "probes/model/families.h"

namespace couplingd {
namespace {

constexpr std::int64_t kMaxVocabulary = std::int64_t{1} << 24;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 20;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxHeads = 4096;
constexpr std::int64_t kMaxPositions = std::int64_t{1} << 28;

struct NamedActivation {
  std::string_view name;
  Activation activation;
};
constexpr std::array kActivations = {
    NamedActivation{"gelu", Activation::kGelu},
    NamedActivation{"gelu_new", Activation::kGeluTanh},
    NamedActivation{"gelu_pytorch_tanh", Activation::kGeluTanh},
    NamedActivation{"gelu_fast", Activation::kGeluTanh},
    NamedActivation{"quick_gelu", Activation::kQuickGelu},
    NamedActivation{"silu", Activation::kSilu},
    NamedActivation{"swish", Activation::kSilu},
    NamedActivation{"relu", Activation::kRelu},
    NamedActivation{"relu2", Activation::kReluSquared},
};

std::unexpected<Error> BadField(std::string_view source, std::string_view field,
                                std::string_view problem) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: field \"{}\" {}", source, field, problem),
              "the configuration does not describe a model that can exist; compare it with the "
              "trainer's own copy");
}

class Reader {
 public:
  Reader(const JsonValue& json, std::string_view source) : json_(json), source_(source) {}

  // The first of the key's names that is there, within 1..`most`.
  Result<std::int64_t> Size(const SizeKey& key, std::int64_t most) const {
    for (const std::string_view name : key.names) {
      const std::optional<std::int64_t> value = TRY(FindInt(json_, name, source_));
      if (!value) continue;
      if (*value < 1 || *value > most) {
        return BadField(source_, name, fmt::format("is {}, outside 1 to {}", *value, most));
      }
      return *value;
    }
    return key.fallback;
  }

  Result<bool> Flag(const FlagKey& key) const {
    if (key.name.empty()) return key.fallback;
    return TRY(FindBool(json_, key.name, source_)).value_or(key.fallback);
  }

  // A finite number above zero.
  static Result<std::optional<double>> Positive(const JsonValue& object, std::string_view key,
                                                std::string_view source) {
    const std::optional<double> value = TRY(FindDouble(object, key, source));
    if (value && !(std::isfinite(*value) && *value > 0)) {
      return BadField(source, key, fmt::format("is {}, which is no positive number", *value));
    }
    return value;
  }
  Result<std::optional<double>> Positive(std::string_view key) const {
    return Positive(json_, key, source_);
  }

  Result<std::optional<std::string>> Text(std::string_view key) const {
    return FindString(json_, key, source_);
  }

  // A token id, or the first of a list of them.
  Result<std::optional<std::int64_t>> TokenIdOrFirst(std::string_view key) const {
    const JsonValue* value = FindMember(json_, key);
    if (value == nullptr) return std::nullopt;
    if (value->IsArray() && !value->Empty() && (*value)[0].IsInt64()) return (*value)[0].GetInt64();
    if (value->IsInt64()) return value->GetInt64();
    return BadField(source_, key, "must be an integer or a list of integers");
  }

  const JsonValue& json() const { return json_; }
  std::string_view source() const { return source_; }

 private:
  const JsonValue& json_;
  std::string_view source_;
};

Result<const Family*> FindFamily(const Reader& reader) {
  std::string type = TRY(reader.Text("model_type")).value_or("");
  std::string architecture;
  if (const JsonValue* list = FindMember(reader.json(), "architectures");
      list != nullptr && list->IsArray() && !list->Empty() && (*list)[0].IsString()) {
    architecture = (*list)[0].GetString();
  }
  for (const Family& family : Families()) {
    if (type.empty() ? family.architecture == architecture : family.model_type == type) {
      return &family;
    }
  }
  const std::string subject = !type.empty() ? fmt::format("model_type \"{}\"", type)
                              : architecture.empty()
                                  ? std::string("a configuration without model_type")
                                  : fmt::format("architecture \"{}\"", architecture);
  return Fail(ErrorKind::kUnsupported,
              fmt::format("{}: {} is not among the model families of this program", reader.source(),
                          subject),
              fmt::format("known are {}", fmt::join(KnownModelTypes(), ", ")));
}

Status RefuseOtherArchitectures(const Reader& reader, const Family& family) {
  for (const std::string_view flag : family.refused_flags) {
    if (TRY(reader.Flag({flag, false}))) {
      return Fail(ErrorKind::kUnsupported,
                  fmt::format("{}: \"{}\" is true, which is another architecture than {}'s decoder",
                              reader.source(), flag, family.model_type));
    }
  }
  if (FindMember(reader.json(), "quantization_config") != nullptr) {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{}: \"quantization_config\" is set; quantised weights are not read",
                            reader.source()),
                "evaluate the checkpoint that it was made from");
  }
  return {};
}

Result<Activation> ReadActivation(const Reader& reader, const Family& family) {
  const std::string name =
      TRY(reader.Text(family.activation_key)).value_or(std::string(family.activation));
  std::vector<std::string_view> known;
  for (const NamedActivation& row : kActivations) {
    if (row.name == name) return row.activation;
    known.push_back(row.name);
  }
  return Fail(ErrorKind::kUnsupported,
              fmt::format("{}: field \"{}\" names the activation \"{}\"", reader.source(),
                          family.activation_key, name),
              fmt::format("known are {}", fmt::join(known, ", ")));
}

Status ReadAttentionShape(const Reader& reader, const Family& family, ModelConfig& config) {
  config.kv_heads = TRY(reader.Size(family.kv_heads, kMaxHeads));
  if (config.kv_heads == 0) config.kv_heads = config.heads;
  if (config.heads % config.kv_heads != 0) {
    return BadField(reader.source(), family.kv_heads.names.front(),
                    fmt::format("is {}, which does not divide the {} attention heads",
                                config.kv_heads, config.heads));
  }
  config.head_dim = TRY(reader.Size(family.head_dim, kMaxWidth));
  if (config.head_dim == 0) {
    if (config.hidden_size % config.heads != 0) {
      return BadField(reader.source(), family.heads.names.front(),
                      fmt::format("is {}, which does not divide the hidden size {}", config.heads,
                                  config.hidden_size));
    }
    config.head_dim = config.hidden_size / config.heads;
  }
  if (config.heads * config.head_dim > kMaxWidth) {
    return BadField(reader.source(), family.heads.names.front(),
                    fmt::format("is {}, with {} elements each: more than {} in all", config.heads,
                                config.head_dim, kMaxWidth));
  }
  return {};
}

Result<RopeScaling> ReadRopeScaling(const Reader& reader, const JsonValue& dict,
                                    const ModelConfig& config) {
  const std::string source = fmt::format("{}: rope parameters", reader.source());
  std::optional<std::string> type = TRY(FindString(dict, "rope_type", source));
  if (!type) type = TRY(FindString(dict, "type", source));
  if (!type || *type == "default") return RopeScaling{};

  RopeScaling scaling;
  if (*type == "linear") {
    scaling.kind = RopeScalingKind::kLinear;
  } else if (*type == "llama3") {
    scaling.kind = RopeScalingKind::kLlama3;
  } else {
    return Fail(ErrorKind::kUnsupported, fmt::format("{}: rope_type \"{}\"", source, *type),
                "known are default, linear and llama3");
  }
  const std::optional<double> factor = TRY(Reader::Positive(dict, "factor", source));
  if (!factor) return BadField(source, "factor", "is missing");
  scaling.factor = *factor;
  if (scaling.kind == RopeScalingKind::kLinear) return scaling;

  scaling.low_frequency_factor =
      TRY(Reader::Positive(dict, "low_freq_factor", source)).value_or(1.0);
  scaling.high_frequency_factor =
      TRY(Reader::Positive(dict, "high_freq_factor", source)).value_or(4.0);
  if (scaling.high_frequency_factor <= scaling.low_frequency_factor) {
    return BadField(source, "high_freq_factor", "must be above low_freq_factor");
  }
  constexpr std::string_view kOriginal = "original_max_position_embeddings";
  std::optional<double> original = TRY(reader.Positive(kOriginal));
  if (!original) original = TRY(Reader::Positive(dict, kOriginal, source));
  scaling.original_max_positions = original.value_or(static_cast<double>(config.max_positions));
  return scaling;
}

// v5 keeps everything in rope_parameters; v4 has top-level keys and rope_scaling. A value in the
// dict wins.
Status ReadRotary(const Reader& reader, const Family& family, ModelConfig& config) {
  config.rotary = family.rotary;
  if (config.rotary == Rotary::kNone) return {};
  const JsonValue* dict = FindMember(reader.json(), "rope_parameters");
  if (dict == nullptr) dict = FindMember(reader.json(), "rope_scaling");
  if (dict != nullptr && !dict->IsObject()) {
    return BadField(reader.source(), "rope_parameters", "must be an object");
  }

  std::optional<double> theta, partial;
  if (dict != nullptr) {
    theta = TRY(Reader::Positive(*dict, "rope_theta", reader.source()));
    partial = TRY(Reader::Positive(*dict, "partial_rotary_factor", reader.source()));
    config.rope_scaling = TRY(ReadRopeScaling(reader, *dict, config));
  }
  for (const std::string_view key : {"rope_theta", "rotary_emb_base"}) {
    if (!theta) theta = TRY(reader.Positive(key));
  }
  for (const std::string_view key : {"partial_rotary_factor", "rotary_pct"}) {
    if (!partial) partial = TRY(reader.Positive(key));
  }
  config.rope_theta = theta.value_or(10000);
  const double factor = partial.value_or(family.partial_rotary_factor);
  if (factor > 1) {
    return BadField(reader.source(), "partial_rotary_factor",
                    fmt::format("is {}; it is a share of the head, at most 1", factor));
  }
  config.rotary_dim = static_cast<std::int64_t>(static_cast<double>(config.head_dim) * factor);
  if (config.rotary_dim < 2 || config.rotary_dim % 2 != 0) {
    return BadField(reader.source(), "head_dim",
                    fmt::format("gives {} rotating elements per head; it must be an even number "
                                "of at least 2",
                                config.rotary_dim));
  }
  return {};
}

}  // namespace

std::vector<std::string_view> KnownModelTypes() {
  std::vector<std::string_view> types;
  for (const Family& family : Families()) types.push_back(family.model_type);
  return types;
}

Result<ModelConfig> ParseModelConfig(const JsonValue& json, std::string_view source) {
  if (!json.IsObject()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: must hold an object", source));
  }
  const Reader reader(json, source);
  const Family& family = *TRY(FindFamily(reader));
  TRY(RefuseOtherArchitectures(reader, family));

  ModelConfig config;
  config.model_type = family.model_type;
  config.names = family.names;
  config.vocab_size = TRY(reader.Size(family.vocab_size, kMaxVocabulary));
  config.hidden_size = TRY(reader.Size(family.hidden_size, kMaxWidth));
  config.layers = TRY(reader.Size(family.layers, kMaxLayers));
  config.heads = TRY(reader.Size(family.heads, kMaxHeads));
  config.max_positions = TRY(reader.Size(family.max_positions, kMaxPositions));
  TRY(ReadAttentionShape(reader, family, config));
  config.intermediate_size = TRY(reader.Size(family.intermediate_size, kMaxWidth));
  if (config.intermediate_size == 0) config.intermediate_size = 4 * config.hidden_size;

  config.norm = family.norm;
  config.norm_epsilon = TRY(reader.Positive(family.norm_epsilon_key)).value_or(family.norm_epsilon);
  config.residual =
      TRY(reader.Flag(family.parallel_residual)) ? Residual::kParallel : Residual::kSequential;
  config.qkv_layout = family.qkv_layout;
  config.transposed_projections = family.transposed_projections;
  config.qkv_bias = TRY(reader.Flag(family.attention_bias));
  config.attention_output_bias = config.qkv_bias;
  config.mlp_bias = TRY(reader.Flag(family.mlp_bias));
  config.gated_mlp = family.gated_mlp;
  config.activation = TRY(ReadActivation(reader, family));
  config.scale_attention = TRY(reader.Flag(family.scale_attention));
  config.scale_attention_by_layer = TRY(reader.Flag(family.scale_attention_by_layer));
  TRY(ReadRotary(reader, family, config));
  config.tie_embeddings = TRY(reader.Flag({"tie_word_embeddings", family.tie_embeddings}));

  config.bos_token_id = TRY(reader.TokenIdOrFirst("bos_token_id"));
  config.eos_token_id = TRY(reader.TokenIdOrFirst("eos_token_id"));
  std::optional<std::string> dtype = TRY(reader.Text("dtype"));
  if (!dtype) dtype = TRY(reader.Text("torch_dtype"));
  config.dtype = dtype.value_or("");
  return config;
}

Result<ModelConfig> LoadModelConfig(const std::string& path) {
  const JsonDocument document = TRY(ParseJsonFile(path));
  return ParseModelConfig(document, path);
}

}  // namespace couplingd
