#include "demo/checkpoint_writer.h"

#include <fmt/format.h>

#include <bit>

#include "base/files.h"
#include "base/json.h"

namespace couplingd {
namespace {

// One safetensors file: length of the header, header, tensors in the order of their names.
std::string Safetensors(const TinyLlama& model) {
  JsonWriter header;
  header.BeginObject();
  std::string data;
  for (const auto& [name, weight] : model.weights()) {
    const auto values = weight.detach().contiguous();
    header.Key(name).BeginObject().Field("dtype", "F32").Key("shape").BeginArray();
    for (std::int64_t size : values.sizes()) header.Value(size);
    header.EndArray()
        .Key("data_offsets")
        .BeginArray()
        .Value(static_cast<std::uint64_t>(data.size()));
    data.append(static_cast<const char*>(values.const_data_ptr()), values.nbytes());
    header.Value(static_cast<std::uint64_t>(data.size())).EndArray().EndObject();
  }
  std::string text = header.EndObject().Text();
  text.append((8 - text.size() % 8) % 8, ' ');
  static_assert(std::endian::native == std::endian::little);
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data;
}

std::string ConfigJson(const TinyLlama& model, const Vocabulary& vocabulary) {
  const TinyLlamaShape& shape = model.shape();
  JsonWriter json;
  json.BeginObject().Key("architectures").BeginArray().Value("LlamaForCausalLM").EndArray();
  json.Field("model_type", "llama")
      .Field("hidden_act", "silu")
      .Field("vocab_size", shape.vocabulary);
  json.Field("hidden_size", shape.width).Field("intermediate_size", shape.feed_forward());
  json.Field("num_hidden_layers", shape.layers).Field("num_attention_heads", shape.heads());
  json.Field("num_key_value_heads", shape.heads()).Field("head_dim", shape.head_dim());
  json.Field("max_position_embeddings", shape.positions).Field("rms_norm_eps", shape.norm_epsilon);
  json.Field("rope_theta", shape.rope_theta)
      .Field("attention_bias", false)
      .Field("mlp_bias", false);
  json.Field("tie_word_embeddings", true).Field("torch_dtype", "float32");
  json.Field("bos_token_id", vocabulary.begin_id()).Field("eos_token_id", vocabulary.end_id());
  return json.Field("pad_token_id", vocabulary.pad_id()).EndObject().Text();
}

std::string TokenizerConfigJson() {
  return R"({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", )"
         R"("pad_token": "<pad>", "model_max_length": 64})";
}

std::string TrainerStateJson(std::int64_t step, std::int64_t tokens) {
  JsonWriter json;
  json.BeginObject().Field("global_step", step).Field("num_input_tokens_seen", tokens);
  return json.Key("log_history").BeginArray().EndArray().EndObject().Text();
}

}  // namespace

Status WriteCheckpoint(const std::string& run_directory, const TinyLlama& model,
                       const Vocabulary& vocabulary, std::int64_t step, std::int64_t tokens) {
  const std::string directory = JoinPath(run_directory, fmt::format("checkpoint-{}", step));
  TRY(MakeDirectories(directory, 0755));
  const std::pair<const char*, std::string> files[] = {
      {"config.json", ConfigJson(model, vocabulary)},
      {"model.safetensors", Safetensors(model)},
      {"tokenizer.json", vocabulary.TokenizerJson()},
      {"tokenizer_config.json", TokenizerConfigJson()},
      {"trainer_state.json", TrainerStateJson(step, tokens)},
  };
  for (const auto& [name, content] : files) {
    TRY(WriteFileAtomically(JoinPath(directory, name), content, 0644));
  }
  return {};
}

}  // namespace couplingd
