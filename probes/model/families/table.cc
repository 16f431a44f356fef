#include "probes/model/families.h"

namespace couplingd {

std::span<const Family> Families() {
  static const std::vector<Family> families = {
      Llama(), Mistral(),  Mixtral(),    Qwen2(),  Qwen3(),  Qwen3Moe(), Olmo(),
      Olmo2(), Olmo3(),    Gemma(),      Gemma2(), Gemma3(), Gemma4(),   Phi(),
      Phi3(),  StableLm(), Starcoder2(), Gpt2(),   GptNeo(), GptJ(),     GptNeoX(),
      Opt(),   Bloom(),    Falcon(),     Mpt()};
  return families;
}

Status SetWindowOfAllLayers(const ConfigReader& reader, std::int64_t fallback,
                            ModelConfig& config) {
  const std::int64_t window = TRY(reader.SizeOrNone("sliding_window", fallback));
  for (LayerConfig& layer : config.layer) layer.window = window;
  return {};
}

std::span<const RefusedFamily> RefusedFamilies() {
  static constexpr RefusedFamily kRefused[] = {
      {"deepseek_v2", "multi-head latent attention (compressed keys and values) is missing"},
      {"deepseek_v3",
       "multi-head latent attention (compressed keys and values) and the router that chooses among "
       "groups of experts by a corrected sigmoid are missing"},
      {"RefinedWeb",
       "it is Falcon's layout from before transformers had it; the keys of "
       "config.json must be those of model_type \"falcon\""},
      {"RefinedWebModel",
       "it is Falcon's layout from before transformers had it; the keys of "
       "config.json must be those of model_type \"falcon\""},
      {"hf_olmo",
       "it is OLMo's layout from before transformers had it; convert it to model_type "
       "\"olmo\" with the trainer's own script"},
      {"phi-msft",
       "it is Phi's layout from before transformers had it; convert it to model_type "
       "\"phi\""},
      {"mixformer-sequential",
       "it is Phi's layout from before transformers had it; convert it to "
       "model_type \"phi\""},
      {"btlm", "its position biases and its scaling of logits and embeddings (muP) are missing"},
      {"gpt_bigcode", "its attention with one key head in GPT-2's layout is missing"},
      {"qwen2_moe", "its shared expert is missing"},
  };
  return kRefused;
}

}  // namespace couplingd
