// The tiny models under tests/probes/model/data, and what HF transformers says about them.
#pragma once

#include <string>
#include <vector>

#include "probes/model/decoder.h"

namespace couplingd {

std::vector<std::string> FixtureNames();
std::string FixtureDirectory(const std::string& name);

// The weights of a directory, unchecked by anything but the reader.
LoadedDecoder LoadFixture(const std::string& name, const Place& place = {},
                          const DecoderOptions& options = {});

struct ExpectedLogits {
  std::vector<TokenId> tokens;
  std::vector<float> logits;  // [tokens, vocab]
};
ExpectedLogits ReadExpected(const std::string& name);

// Over all elements; infinity where the sizes differ.
float LargestDifference(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace couplingd
