// Token strings back to text: the field "decoder".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace couplingd {

// Immutable; may be used from any number of threads.
class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;
  // Rewrites the strings of a whole text; their concatenation is the text.
  virtual Result<std::vector<std::string>> Decode(std::vector<std::string> tokens) const = 0;
};

// A null `json` gives the one that puts a blank between tokens.
Result<std::unique_ptr<TokenDecoder>> ParseDecoder(const JsonValue* json, const std::string& where);

}  // namespace couplingd
