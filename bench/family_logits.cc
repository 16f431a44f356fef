// couplingd-bench-family-logits: logits of tiny models against those that stand beside them.
//
//   couplingd-bench-family-logits DIR…
//
// A DIR is one that bench/oracle/family_models.py writes. Prints a line of JSON for each: the
// largest absolute difference to logits.f32 in fp32 with both attention kernels, with the
// configuration in transformers 4's spelling, and in bf16.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/files.h"
#include "base/json.h"
#include "probes/checkpoint/open_checkpoint.h"
#include "probes/model/decoder.h"

namespace couplingd {
namespace {

template <typename T>
Result<std::vector<T>> ReadRaw(const std::string& path) {
  const std::string bytes = TRY(ReadFile(path));
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

// Infinite where a size differs; a NaN counts as a difference.
double LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

struct Variant {
  std::string directory;
  std::vector<TokenId> tokens;
  std::vector<float> logits;

  Result<double> Difference(const std::string& config_name, const Place& place,
                            bool plain_attention) const {
    const ModelConfig config = TRY(LoadModelConfig(fmt::format("{}/{}", directory, config_name)));
    const CheckpointWeights weights = TRY(OpenCheckpoint(directory));
    const LoadedDecoder loaded =
        TRY(LoadDecoder(*weights.source, config, place, {.plain_attention = plain_attention}));
    return LargestDifference(TRY(loaded.decoder->Logits(tokens)), logits);
  }
};

Result<std::string> Measure(const std::string& directory) {
  Variant variant;
  variant.directory = directory;
  variant.tokens = TRY(ReadRaw<TokenId>(directory + "/tokens.i32"));
  variant.logits = TRY(ReadRaw<float>(directory + "/logits.f32"));
  const double fp32 = TRY(variant.Difference("config.json", {}, false));
  const double plain = TRY(variant.Difference("config.json", {}, true));
  const double v4 = TRY(variant.Difference("config_v4.json", {}, false));
  const double bf16 = TRY(variant.Difference("config.json", {.type = ComputeType::kBf16}, false));
  JsonWriter json;
  json.BeginObject().Field("directory", directory).Field("fp32", fp32).Field("plain", plain);
  json.Field("v4", v4).Field("bf16", bf16).EndObject();
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
