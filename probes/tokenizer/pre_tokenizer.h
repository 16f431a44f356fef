// How normalized text is cut into the pieces that the
// model encodes one by one: the field "pre_tokenizer".
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/regex.h"
#include "base/result.h"

namespace couplingd {

// A text and the pieces it is cut into, in order, without
// overlap and none empty. What lies in no piece is dropped.
struct PieceList {
  std::string text;
  std::vector<TextSpan> pieces;
  // The first byte of `text` is the first of the whole input.
  bool starts_input = false;

  std::string_view At(std::size_t i) const {
    return std::string_view(text).substr(pieces[i].begin, pieces[i].end - pieces[i].begin);
  }
};

// Immutable; may be used from any number of threads.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Cuts every piece further, or respells it.
  virtual Status Apply(PieceList& list) const = 0;
};

// A null `json` gives the pre-tokenizer that leaves every piece whole.
Result<std::unique_ptr<PreTokenizer>> ParsePreTokenizer(const JsonValue* json,
                                                        const std::string& where);

}  // namespace couplingd
