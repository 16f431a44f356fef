#include "tests/probes/model/fixtures.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/files.h"
#include "probes/checkpoint/hf_directory.h"

namespace couplingd {

std::vector<std::string> FixtureNames() {
  std::vector<std::string> names;
  const auto listed = ListDirectory(COUPLINGD_SOURCE_DIR "/tests/probes/model/data");
  for (const std::string& name : listed.value()) {
    if (name != "README.md") names.push_back(name);
  }
  return names;
}

std::string FixtureDirectory(const std::string& name) {
  return COUPLINGD_SOURCE_DIR "/tests/probes/model/data/" + name;
}

LoadedDecoder LoadFixture(const std::string& name, const Place& place,
                          const DecoderOptions& options) {
  SetComputeThreads(1);  // such models are too small for two
  const std::string directory = FixtureDirectory(name);
  const ModelConfig config = LoadModelConfig(directory + "/config.json").value();
  const CheckpointWeights weights = OpenHfDirectory(directory).value();
  return LoadDecoder(*weights.source, config, place, options).value();
}

namespace {

template <typename T>
std::vector<T> ReadRaw(const std::string& path) {
  const std::string bytes = ReadFile(path).value();
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

ExpectedLogits ReadExpected(const std::string& name) {
  return {ReadRaw<TokenId>(FixtureDirectory(name) + "/tokens.i32"),
          ReadRaw<float>(FixtureDirectory(name) + "/logits.f32")};
}

float LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return std::numeric_limits<float>::infinity();
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float difference = std::abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = difference;  // NaN counts as a difference
  }
  return largest;
}

}  // namespace couplingd
