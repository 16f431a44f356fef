// A tokenizer that has nothing but SentencePiece's own file.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/tokenizer/added_tokens.h"
#include "probes/tokenizer/overlay.h"
#include "probes/tokenizer/tokenizer.h"

namespace couplingd {

inline constexpr std::size_t kMaxSentencePieceBytes = 64u << 20;

// `model`: the bytes of tokenizer.model. BOS and EOS are the overlay's, else the model's; as
// special tokens a BOS is added unless the overlay says no, an EOS where it says yes, as the
// classes of Llama and Gemma do. `added` and the model's control tokens are found in the text, and
// every stretch between them is encoded as a text of its own. kInvalidData where the library
// refuses the model. `source` names the file in errors.
Result<std::unique_ptr<Tokenizer>> MakeSentencePieceTokenizer(std::string_view model,
                                                              const TokenizerOverlay& overlay,
                                                              std::vector<AddedToken> added,
                                                              const std::string& source);

}  // namespace couplingd
