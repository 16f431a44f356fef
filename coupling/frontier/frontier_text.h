// The files of this folder, embedded at build.
#pragma once

#include <string_view>

namespace couplingd {

// Empty where no file has that name.
std::string_view FrontierText(std::string_view file);

}  // namespace couplingd
