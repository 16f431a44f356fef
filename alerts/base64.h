// RFC 4648 base64 with padding. Internal to alerts/.
#pragma once

#include <string>
#include <string_view>

namespace couplingd {

std::string ToBase64(std::string_view bytes);

}  // namespace couplingd
