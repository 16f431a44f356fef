// couplingd-bench-family-logits: logits of tiny models against those that stand beside them.
//
//   couplingd-bench-family-logits DIR…
//
// A DIR is one that bench/oracle/family_models.py writes. Prints a line of JSON for each: the
// largest absolute difference to logits.f32 in fp32 with both attention kernels, with the
// configuration in transformers 4's spelling, and in bf16, where the root of the mean square too.
// Where formats.json names further checkpoints of the same weights (bench/oracle/family_formats.py)
// "formats" says of each whether its logits are equal to those of model.safetensors, bit for bit:
// "equal", or what is wrong.
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/files.h"
#include "base/json.h"
#include "probes/checkpoint/naming/canonical_names.h"
#include "probes/checkpoint/open_checkpoint.h"
#include "probes/model/decoder.h"
#include "probes/model/dimensions.h"

namespace couplingd {
namespace {

template <typename T>
Result<std::vector<T>> ReadRaw(const std::string& path) {
  const std::string bytes = TRY(ReadFile(path));
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

struct Difference {
  double largest = 0;
  double rms = 0;  // root of the mean square
};

// Infinite where a size differs; a NaN counts as a difference.
Difference DifferenceOf(const std::vector<float>& a, const std::vector<float>& b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a.size() != b.size() || a.empty()) return {kInfinity, kInfinity};
  Difference difference;
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double here = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(here <= difference.largest)) difference.largest = here;
    squares += here * here;
  }
  difference.rms = std::sqrt(squares / static_cast<double>(a.size()));
  return difference;
}

// The logits of the checkpoint at `path`, whatever its format, in fp32.
Result<std::vector<float>> LogitsOf(const std::string& path, const ModelConfig& config,
                                    const std::vector<TokenId>& tokens) {
  const CheckpointWeights weights =
      TRY(WithCanonicalNames(TRY(OpenCheckpoint(path)), DimensionsOf(config)));
  const LoadedDecoder loaded = TRY(LoadDecoder(*weights.source, config, {}));
  return loaded.decoder->Logits(tokens);
}

struct Variant {
  std::string directory;
  std::vector<TokenId> tokens;
  std::vector<float> logits;

  // "equal", or what is wrong, of each format.
  Status CompareFormats(JsonWriter& json) const {
    json.Key("formats").BeginObject();
    const std::string list = directory + "/formats.json";
    if (access(list.c_str(), F_OK) == 0) {
      const ModelConfig config = TRY(LoadModelConfig(directory + "/config.json"));
      const std::vector<float> expected = TRY(LogitsOf(directory, config, tokens));
      const JsonDocument formats = TRY(ParseJsonFile(list));
      for (const auto& format : formats.GetObject()) {
        const auto found = LogitsOf(JoinPath(directory, format.value.GetString()), config, tokens);
        const bool equal =
            found && found->size() == expected.size() &&
            std::memcmp(found->data(), expected.data(), expected.size() * sizeof(float)) == 0;
        json.Field(format.name.GetString(), equal   ? std::string("equal")
                                            : found ? std::string("other logits")
                                                    : found.error().Text());
      }
    }
    json.EndObject();
    return {};
  }

  Result<Difference> Compare(const std::string& config_name, const Place& place,
                             bool batched_attention) const {
    const ModelConfig config = TRY(LoadModelConfig(fmt::format("{}/{}", directory, config_name)));
    const CheckpointWeights weights = TRY(OpenCheckpoint(directory));
    const LoadedDecoder loaded =
        TRY(LoadDecoder(*weights.source, config, place, {.batched_attention = batched_attention}));
    return DifferenceOf(TRY(loaded.decoder->Logits(tokens)), logits);
  }
};

Result<std::string> Measure(const std::string& directory) {
  Variant variant;
  variant.directory = directory;
  variant.tokens = TRY(ReadRaw<TokenId>(directory + "/tokens.i32"));
  variant.logits = TRY(ReadRaw<float>(directory + "/logits.f32"));
  const Difference fp32 = TRY(variant.Compare("config.json", {}, false));
  const Difference batched = TRY(variant.Compare("config.json", {}, true));
  const Difference v4 = TRY(variant.Compare("config_v4.json", {}, false));
  const Difference bf16 = TRY(variant.Compare("config.json", {.type = ComputeType::kBf16}, false));
  JsonWriter json;
  json.BeginObject().Field("directory", directory).Field("fp32", fp32.largest);
  json.Field("batched", batched.largest).Field("v4", v4.largest);
  json.Field("bf16", bf16.largest).Field("bf16_rms", bf16.rms);
  TRY(variant.CompareFormats(json));
  json.EndObject();
  return json.Text();
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) {
  couplingd::SetComputeThreads(1);  // such models are too small for two
  for (int i = 1; i < argc; ++i) {
    const auto line = couplingd::Measure(argv[i]);
    if (!line) {
      couplingd::JsonWriter json;
      json.BeginObject().Field("directory", argv[i]).Field("error", line.error().Text());
      fmt::print("{}\n", json.EndObject().Text());
      continue;
    }
    fmt::print("{}\n", *line);
  }
}
