// What is put around the ids of a whole text: the field "post_processor".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "probes/tokenizer/tokenizer.h"

namespace couplingd {

// Immutable; may be used from any number of threads.
class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  virtual std::vector<TokenId> Apply(std::vector<TokenId> ids, bool add_special_tokens) const = 0;
  // Appends the ids that Apply may add.
  virtual void ListSpecialIds(std::vector<TokenId>& ids) const = 0;
};

// A null `json` gives the one that adds nothing.
Result<std::unique_ptr<PostProcessor>> ParsePostProcessor(const JsonValue* json,
                                                          const std::string& where);

}  // namespace couplingd
