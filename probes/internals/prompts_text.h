// The data file beside this header, built into the program.
#pragma once

#include <string_view>

namespace couplingd {

// The text of "prompts.json"; empty for any other name.
std::string_view PromptsText(std::string_view file);

}  // namespace couplingd
