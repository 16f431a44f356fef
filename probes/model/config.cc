#include "probes/model/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>

#include "base/files.h"
#include "probes/model/config_reader.h"
#include "probes/model/families.h"
#include "probes/model/rope_config.h"

namespace couplingd {
namespace {

constexpr std::int64_t kMaxVocabulary = std::int64_t{1} << 24;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 20;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxHeads = 4096;
constexpr std::int64_t kMaxParts = std::int64_t{1} << 20;
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

std::string FirstArchitecture(const JsonValue& json) {
  const JsonValue* list = FindMember(json, "architectures");
  const bool is_named =
      list != nullptr && list->IsArray() && !list->Empty() && (*list)[0].IsString();
  return is_named ? (*list)[0].GetString() : "";
}

// What is known of an architecture that is not in the table.
std::unexpected<Error> RefuseFamily(const ConfigReader& reader, std::string_view type,
                                    std::string_view architecture) {
  for (const RefusedFamily& refused : RefusedFamilies()) {
    if (refused.model_type != type) continue;
    return Fail(ErrorKind::kUnsupported, fmt::format("{}: model_type \"{}\" is not computed: {}",
                                                     reader.source(), type, refused.why));
  }
  const std::string subject = !type.empty() ? fmt::format("model_type \"{}\"", type)
                              : architecture.empty()
                                  ? std::string("a configuration without model_type")
                                  : fmt::format("architecture \"{}\"", architecture);
  for (const std::string_view part : {"text_config", "vision_config", "audio_config"}) {
    if (FindMember(reader.json(), part) == nullptr) continue;
    return Fail(
        ErrorKind::kUnsupported,
        fmt::format("{}: {} wraps a text model together with other inputs (\"{}\"); the encoders "
                    "of images and sound are missing here",
                    reader.source(), subject, part),
        "save the text model alone, with what stands under text_config as its config.json");
  }
  return Fail(ErrorKind::kUnsupported,
              fmt::format("{}: {} is not among the model families of this program", reader.source(),
                          subject),
              fmt::format("known are {}", fmt::join(KnownModelTypes(), ", ")));
}

Result<const Family*> FindFamily(const ConfigReader& reader) {
  const std::string type = TRY(reader.Text("model_type")).value_or("");
  const std::string architecture = FirstArchitecture(reader.json());
  for (const Family& family : Families()) {
    if (type.empty() ? family.architecture == architecture : family.model_type == type) {
      return &family;
    }
  }
  return RefuseFamily(reader, type, architecture);
}

Status RefuseOtherArchitectures(const ConfigReader& reader, const Family& family) {
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

Result<Activation> ReadActivation(const ConfigReader& reader, const Family& family) {
  std::string name(family.activation);
  std::string_view from = "activation";
  for (const std::string_view key : family.activation_keys) {
    const std::optional<std::string> named = TRY(reader.Text(key));
    if (!named) continue;
    name = *named;
    from = key;
    break;
  }
  std::vector<std::string_view> known;
  for (const NamedActivation& row : kActivations) {
    if (row.name == name) return row.activation;
    known.push_back(row.name);
  }
  return Fail(
      ErrorKind::kUnsupported,
      fmt::format("{}: field \"{}\" names the activation \"{}\"", reader.source(), from, name),
      fmt::format("known are {}", fmt::join(known, ", ")));
}

Status ReadAttentionShape(const ConfigReader& reader, const Family& family, ModelConfig& config) {
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

Status ReadSizes(const ConfigReader& reader, const Family& family, ModelConfig& config) {
  config.vocab_size = TRY(reader.Size(family.vocab_size, kMaxVocabulary));
  config.hidden_size = TRY(reader.Size(family.hidden_size, kMaxWidth));
  config.embedding_size = config.hidden_size;
  config.layers = TRY(reader.Size(family.layers, kMaxLayers));
  config.heads = TRY(reader.Size(family.heads, kMaxHeads));
  config.max_positions = TRY(reader.Size(family.max_positions, kMaxPositions));
  TRY(ReadAttentionShape(reader, family, config));
  config.intermediate_size = TRY(reader.Size(family.intermediate_size, kMaxWidth));
  if (config.intermediate_size == 0) config.intermediate_size = 4 * config.hidden_size;
  LayerConfig layer;
  layer.intermediate_size = config.intermediate_size;
  config.layer.assign(static_cast<std::size_t>(config.layers), layer);
  return {};
}

Status ReadSwitches(const ConfigReader& reader, const Family& family, ModelConfig& config) {
  config.norm = family.norm;
  config.norm_weight = family.norm_weight;
  config.norm_bias = family.norm_bias;
  config.norm_epsilon = family.norm_epsilon;
  if (!family.norm_epsilon_key.empty()) {
    config.norm_epsilon =
        TRY(reader.Positive(family.norm_epsilon_key)).value_or(family.norm_epsilon);
  }
  config.residual =
      TRY(reader.Flag(family.parallel_residual)) ? Residual::kParallel : Residual::kSequential;
  config.qkv_layout = family.qkv_layout;
  config.qk_norm = family.qk_norm;
  config.transposed_projections = family.transposed_projections;
  config.qkv_bias = TRY(reader.Flag(family.qkv_bias));
  config.attention_output_bias = TRY(reader.Flag(family.attention_output_bias));
  config.mlp_bias = TRY(reader.Flag(family.mlp_bias));
  config.head_bias = family.head_bias;
  config.gated_mlp = family.gated_mlp;
  config.activation = TRY(ReadActivation(reader, family));
  if (TRY(reader.Flag(family.scale_attention))) {
    config.attention_scale = 1 / std::sqrt(static_cast<double>(config.head_dim));
  }
  config.scale_attention_by_layer = TRY(reader.Flag(family.scale_attention_by_layer));
  config.tie_embeddings = TRY(reader.Flag({"tie_word_embeddings", family.tie_embeddings}));
  return {};
}

// What the family's rule left open; and no model of more tensors than memory has room to list.
Status CompleteLayers(const ConfigReader& reader, ModelConfig& config) {
  for (LayerConfig& layer : config.layer) {
    if (layer.kv_heads == 0) layer.kv_heads = config.kv_heads;
    if (layer.head_dim == 0) layer.head_dim = config.head_dim;
    if (config.heads % layer.kv_heads != 0) {
      return BadField(reader.source(), "num_key_value_heads",
                      fmt::format("is {} in some layer, which does not divide the {} attention "
                                  "heads",
                                  layer.kv_heads, config.heads));
    }
    const bool turns = config.rotary != Rotary::kNone;
    if (config.heads * layer.head_dim > kMaxWidth ||
        (turns && config.ropes[layer.rope].dim > layer.head_dim)) {
      return BadField(reader.source(), "head_dim",
                      fmt::format("is {} in some layer, which fits neither {} heads nor what turns",
                                  layer.head_dim, config.heads));
    }
  }
  const std::int64_t norms = config.qk_norm == QkNorm::kPerHead ? 2 * config.heads : 0;
  const std::int64_t parts = config.layers * (3 * config.experts.count + norms);
  if (parts > kMaxParts) {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{}: {} layers with {} experts or norms of heads each are more than "
                            "any model has",
                            reader.source(), config.layers, parts / config.layers));
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
  const ConfigReader reader(json, source);
  const Family& family = *TRY(FindFamily(reader));
  TRY(RefuseOtherArchitectures(reader, family));

  ModelConfig config;
  config.model_type = family.model_type;
  config.names = family.names;
  TRY(ReadSizes(reader, family, config));
  TRY(ReadSwitches(reader, family, config));
  TRY(ReadRopes(reader, family, config));
  if (family.adjust != nullptr) TRY(family.adjust(reader, config));
  TRY(CompleteLayers(reader, config));

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
