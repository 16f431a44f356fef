// Reads checkpoints that training libraries wrote (bench/oracle/writers.py) and compares them, bit
// by bit, with the weights that were saved, and log-likelihoods with those that the library's own
// model computed: one line each.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "probes/checkpoint/inspect.h"
#include "probes/checkpoint/naming/canonical_names.h"
#include "probes/checkpoint/open_checkpoint.h"
#include "probes/model/decoder.h"

namespace couplingd {
namespace {

constexpr double kLargestDifference = 1e-4;  // of a sum of up to 32 log-probabilities in fp32

Result<ModelDimensions> DimensionsOf(const std::string& path) {
  const JsonDocument config = TRY(ParseJsonFile(path));
  ModelDimensions model;
  model.model_type = TRY(GetString(config, "model_type", path));
  model.layers = TRY(GetInt(config, "num_hidden_layers", path));
  model.heads = TRY(GetInt(config, "num_attention_heads", path));
  model.kv_heads = TRY(GetInt(config, "num_key_value_heads", path));
  model.head_dim = TRY(FindInt(config, "head_dim", path))
                       .value_or(TRY(GetInt(config, "hidden_size", path)) / model.heads);
  model.intermediate_size = TRY(GetInt(config, "intermediate_size", path));
  model.vocab_size = TRY(GetInt(config, "vocab_size", path));
  return model;
}

std::string HexOf(const std::string& bytes) {
  std::string hex;
  for (const unsigned char byte : bytes) hex += fmt::format("{:02x}", byte);
  return hex;
}

// How many of the expected tensors the source gives as they were.
Result<int> CountEqual(const TensorSource& source, const JsonValue& expected) {
  int equal = 0;
  for (const auto& entry : expected.GetObject()) {
    const TensorInfo* tensor = source.Find(entry.name.GetString());
    if (!tensor || ToString(tensor->dtype) != entry.value["dtype"].GetString()) continue;
    std::string bytes(tensor->bytes, '\0');
    TRY(source.Read(*tensor, bytes.data()));
    const JsonValue& shape = entry.value["shape"];
    bool same =
        shape.Size() == tensor->shape.size() && HexOf(bytes) == entry.value["bytes"].GetString();
    for (std::size_t i = 0; same && i < tensor->shape.size(); ++i) {
      same = shape[static_cast<rapidjson::SizeType>(i)].GetInt64() == tensor->shape[i];
    }
    equal += same ? 1 : 0;
  }
  return equal;
}

// The sum of the log-probabilities of all tokens but the first.
Result<double> LogLikelihood(Decoder& decoder, const std::vector<TokenId>& tokens) {
  const std::vector<float> logits = TRY(decoder.Logits(tokens));
  const std::size_t vocabulary = logits.size() / tokens.size();
  double sum = 0;
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    const float* const row = logits.data() + (i - 1) * vocabulary;
    const double largest = *std::max_element(row, row + vocabulary);
    double total = 0;
    for (std::size_t j = 0; j < vocabulary; ++j) total += std::exp(row[j] - largest);
    sum += row[tokens[i]] - largest - std::log(total);
  }
  return sum;
}

// How the log-likelihoods compare, in words; false in `right` where one differs.
Result<std::string> CompareScores(const TensorSource& source, const std::string& config_path,
                                  const JsonValue& expected, bool& right) {
  const JsonValue& theirs = expected["loglikelihoods"];
  if (theirs.IsString()) return fmt::format("no log-likelihoods: {}", theirs.GetString());
  const ModelConfig config = TRY(LoadModelConfig(config_path));
  const LoadedDecoder loaded = TRY(LoadDecoder(source, config, {}, {}));
  double largest = 0;
  for (rapidjson::SizeType i = 0; i < theirs.Size(); ++i) {
    std::vector<TokenId> tokens;
    for (const JsonValue& token : expected["sequences"][i].GetArray()) {
      tokens.push_back(token.GetInt());
    }
    const double ours = TRY(LogLikelihood(*loaded.decoder, tokens));
    const double difference = std::abs(ours - theirs[i].GetDouble());
    right = right && difference <= kLargestDifference;
    largest = std::max(largest, difference);
  }
  return fmt::format("max |Δ| {:.1e}", largest);
}

// True where everything is as it was saved.
Result<bool> Compare(const std::string& folder) {
  const std::string expected_path = JoinPath(folder, "expected.json");
  const JsonDocument expected = TRY(ParseJsonFile(expected_path));
  const std::string path = JoinPath(folder, TRY(GetString(expected, "checkpoint", expected_path)));
  const auto step = TRY(FindInt(expected, "step", expected_path));
  const auto tokens = TRY(FindInt(expected, "tokens", expected_path));
  CheckpointWeights opened = TRY(OpenCheckpoint(path));
  const std::string format = opened.format;
  const std::string config_path = JoinPath(folder, "config.json");
  const CheckpointWeights weights =
      TRY(WithCanonicalNames(std::move(opened), TRY(DimensionsOf(config_path))));
  const auto all = static_cast<int>(expected["tensors"].MemberCount());
  const int equal = TRY(CountEqual(*weights.source, expected["tensors"]));
  const bool strangers = static_cast<int>(weights.source->tensors().size()) != all;
  const Inspection seen = TRY(Inspect(path));
  bool right = equal == all && !strangers && seen.ready() && seen.step == step &&
               (!tokens || seen.tokens == tokens);
  const std::string scores = TRY(CompareScores(*weights.source, config_path, expected, right));
  fmt::print("{:20} {:36} {:3} of {:3} equal  step {:>3}  tokens {:>5}  {}  {}\n", BaseName(folder),
             format, equal, all, seen.step.value_or(-1), seen.tokens.value_or(-1), scores,
             right ? "ok" : "WRONG " + seen.reason);
  return right;
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) {
  int wrong = 0;
  for (int i = 1; i < argc; ++i) {
    const auto right = couplingd::Compare(argv[i]);
    if (!right) fmt::print("{:20} {}\n", couplingd::BaseName(argv[i]), right.error().Text());
    wrong += right && *right ? 0 : 1;
  }
  return wrong == 0 ? 0 : 1;
}
