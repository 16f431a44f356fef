// Text that has to be UTF-8.
#pragma once

#include <string_view>

#include "base/result.h"

namespace couplingd {

bool IsValidUtf8(std::string_view text);

// Refuses a text file with a NUL byte or invalid UTF-8: kInvalidData with `source`:line.
Status CheckTextFile(std::string_view text, std::string_view source);

}  // namespace couplingd
