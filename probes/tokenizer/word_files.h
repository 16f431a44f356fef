// The older form of a byte-level BPE tokenizer: vocab.json and merges.txt.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "probes/tokenizer/overlay.h"

namespace couplingd {

// The tokenizer.json that says the same: the pipeline follows from the class that
// tokenizer_config.json names (GPT-2's where it names none). nullopt where either file is missing;
// kUnsupported for a class whose pipeline is not known here.
Result<std::optional<std::string>> ComposeTokenizerJson(const std::string& directory,
                                                        const TokenizerOverlay& overlay);

}  // namespace couplingd
