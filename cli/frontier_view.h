// How the answer of frontier looks on a terminal.
#pragma once

#include <string>

#include "base/json.h"

namespace couplingd {

std::string RenderFrontier(const JsonValue& answer, std::size_t width);

}  // namespace couplingd
