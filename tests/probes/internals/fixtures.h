// The tiny models under tests/probes/internals/data, with what HF transformers says about their
// inside.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "probes/internals/internals.h"
#include "probes/model/decoder.h"
#include "probes/tokenizer/tokenizer.h"

namespace couplingd {

struct InternalsFixture {
  explicit InternalsFixture(const std::string& name, const Place& place = {});

  Place place;
  JsonDocument expected;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Decoder> decoder;
  std::vector<TensorInfo> tensors;
  PromptSet prompts;
  EncodedPrompts encoded;

  Result<Internals> Measure(bool ranks = true);
};

// Compares with the members "internals" of `expected` to 1e-4.
void ExpectAsTransformers(const Internals& internals, const JsonValue& expected);

}  // namespace couplingd
