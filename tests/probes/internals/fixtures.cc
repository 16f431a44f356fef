#include "tests/probes/internals/fixtures.h"

#include <gtest/gtest.h>

#include "probes/checkpoint/hf_directory.h"

namespace couplingd {
namespace {

constexpr double kTolerance = 1e-4;

double Number(const JsonValue& object, const char* key) { return object[key].GetDouble(); }

}  // namespace

InternalsFixture::InternalsFixture(const std::string& name, const Place& at) : place(at) {
  SetComputeThreads(1);  // such models are too small for two
  const std::string directory = COUPLINGD_SOURCE_DIR "/tests/probes/internals/data/" + name;
  expected = ParseJsonFile(directory + "/expected.json").value();
  tokenizer = LoadTokenizer(directory).value();
  const ModelConfig config = LoadModelConfig(directory + "/config.json").value();
  const CheckpointWeights weights = OpenHfDirectory(directory).value();
  tensors = weights.source->tensors();
  decoder = LoadDecoder(*weights.source, config, place).value().decoder;
  prompts = BuiltInPrompts().value();
  encoded = EncodePrompts(prompts, *tokenizer, {.max_length = 256}, config.vocab_size).value();
}

Result<Internals> InternalsFixture::Measure(bool ranks) {
  const PromptStates states =
      TRY(CollectStates(*decoder, place, encoded.tokens, {.token_budget = 1024, .ranks = ranks}));
  return AnalyseStates(prompts, encoded, states, static_cast<int>(decoder->config().heads));
}

void ExpectAsTransformers(const Internals& internals, const JsonValue& expected) {
  const JsonValue& layers = expected["layers"];
  ASSERT_EQ(internals.layers.size(), layers.Size());
  for (rapidjson::SizeType i = 0; i < layers.Size(); ++i) {
    const LayerInternals& ours = internals.layers[i];
    const JsonValue& theirs = layers[i];
    EXPECT_EQ(ours.layer, theirs["layer"].GetInt());
    EXPECT_NEAR(ours.coupling.value, Number(theirs, "coupling"), kTolerance);
    EXPECT_NEAR(ours.centred.value, Number(theirs, "centred"), kTolerance);
    EXPECT_NEAR(ours.competing_share, Number(theirs, "competing_share"), 1e-3);
    EXPECT_NEAR(ours.d_rep.value / Number(theirs, "d_rep"), 1, kTolerance);
    for (rapidjson::SizeType k = 0; k < theirs["eigenvalues"].Size(); ++k) {
      const double eigenvalue = theirs["eigenvalues"][k].GetDouble();
      EXPECT_NEAR(ours.eigenvalues[k], eigenvalue, kTolerance * ours.eigenvalues[0]);
    }
    ASSERT_EQ(ours.head_coupling.size(), theirs["head_coupling"].Size());
    for (rapidjson::SizeType head = 0; head < theirs["head_coupling"].Size(); ++head) {
      EXPECT_NEAR(ours.head_coupling[head], theirs["head_coupling"][head].GetDouble(), kTolerance);
    }
    EXPECT_EQ(ours.competing_heads, theirs["competing_heads"].GetInt());
  }
  EXPECT_NEAR(internals.output_coupling.value, Number(expected, "hidden"), kTolerance);
  EXPECT_NEAR(internals.logits_coupling.value, Number(expected, "logits"), kTolerance);
  EXPECT_NEAR(internals.bottleneck.value, Number(expected, "logits") - Number(expected, "hidden"),
              kTolerance);
  ASSERT_EQ(internals.ranks.size(), expected["ranks"].Size());
  for (rapidjson::SizeType i = 0; i < expected["ranks"].Size(); ++i) {
    EXPECT_EQ(internals.ranks[i].rank, expected["ranks"][i][0].GetInt64());
    EXPECT_NEAR(internals.ranks[i].coupling.value, expected["ranks"][i][1].GetDouble(), 1e-3);
  }
}

}  // namespace couplingd
