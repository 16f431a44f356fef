// From the text of a pack to token ids, by lm-eval's rules for the boundary between context and
// continuation.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/result.h"
#include "probes/benchmark/pack.h"
#include "probes/tokenizer/tokenizer.h"
#include "records/score.h"

namespace couplingd {

// Whether the text begins with the BOS token.
enum class BosMode {
  kAuto,   // as the tokenizer's own post-processor does it
  kTrue,   // always (the token is put first where the post-processor does not)
  kFalse,  // no special tokens at all
};

struct EncodeOptions {
  BosMode bos = BosMode::kAuto;
  std::size_t max_length = 2048;        // positions the model has
  std::optional<TokenId> prefix_token;  // before a continuation without context; else BOS, else EOS
};

// One choice of one item: `tokens` as the model reads them (the last one is only scored, never
// read), of which those from `scored_from` on are the continuation. 1 <= scored_from <
// tokens.size() <= max_length + 1.
struct EncodedRequest {
  std::size_t item = 0;
  std::size_t choice = 0;
  std::vector<TokenId> tokens;
  std::size_t scored_from = 0;
  bool truncated = false;  // tokens on the left were cut to fit max_length
};

// Requests in the order of items and choices. The rules, as in lm-eval's TemplateLM._encode_pair:
//  - whitespace at the end of the context moves to the front of the continuation;
//  - whole = enc(context + continuation); the continuation's ids are whole[len(enc(context)):] and
//  those before them
//    are enc(context), even where a token of `whole` crosses the boundary;
//  - an empty context becomes the prefix token, unless the continuation already begins with it;
//  - no special tokens are added to a text that already begins with the prefix token's text;
//  - of a sequence that is too long the last max_length + 1 tokens are kept.
// A continuation without tokens or longer than max_length is kInvalidData and names the item.
Result<std::vector<EncodedRequest>> EncodeRequests(const Pack& pack, const Tokenizer& tokenizer,
                                                   const EncodeOptions& options);

// The ids of a text that is to be continued, by the same rules. kInvalidData: it has no tokens, or
// more than max_length.
Result<std::vector<TokenId>> EncodeContext(const std::string& text, const Tokenizer& tokenizer,
                                           const EncodeOptions& options);

// What scoring keeps of the pack. REQUIRES: `requests` are those of EncodeRequests for this pack,
// all of them.
TaskPlan MakePlan(const Pack& pack, const std::vector<EncodedRequest>& requests);

}  // namespace couplingd
