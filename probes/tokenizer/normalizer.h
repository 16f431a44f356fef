// What happens to a stretch of text before it is cut into pieces: the field "normalizer".
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace couplingd {

// Immutable; may be used from any number of threads. Text in and out is valid UTF-8.
class TextNormalizer {
 public:
  virtual ~TextNormalizer() = default;
  virtual Result<std::string> Normalize(std::string text) const = 0;
};

// A null `json` gives the normalizer that changes nothing.
Result<std::unique_ptr<TextNormalizer>> ParseNormalizer(const JsonValue* json,
                                                        const std::string& where);

}  // namespace couplingd
