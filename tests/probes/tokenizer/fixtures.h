// What the tests of this room share: the fixtures in
// data/ (data/README.md says where they come from).
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "probes/tokenizer/tokenizer.h"

namespace couplingd {

inline std::string TokenizerData(std::string_view name) {
  return std::string(COUPLINGD_SOURCE_DIR "/tests/probes/tokenizer/data/") + std::string(name);
}

template <typename T>
T Unwrap(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().Text();
    std::abort();
  }
  return std::move(*result);
}

inline JsonDocument ReadFixture(std::string_view name) {
  return Unwrap(ParseJsonFile(TokenizerData(name)));
}

inline std::string TextOf(const JsonValue& value) {
  return {value.GetString(), value.GetStringLength()};
}

inline std::vector<std::string> FixtureTexts() {
  const JsonDocument file = ReadFixture("texts.json");
  std::vector<std::string> texts;
  for (const JsonValue& text : file.GetArray()) texts.push_back(TextOf(text));
  return texts;
}

// A tokenizer.json around `model` (JSON) and further fields, such as R"("pre_tokenizer": {…})".
inline std::string TokenizerJson(std::string_view model, std::string_view fields = "") {
  std::string json = R"({"version":"1.0","model":)";
  json += model;
  if (!fields.empty()) json += ",";
  json += fields;
  return json + "}";
}

inline std::vector<TokenId> EncodeOrFail(const Tokenizer& tokenizer, std::string_view text,
                                         bool add_special_tokens = false) {
  return Unwrap(tokenizer.Encode(text, add_special_tokens));
}

}  // namespace couplingd
