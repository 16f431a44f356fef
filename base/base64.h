// RFC 4648 base64 with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace couplingd {

std::string ToBase64(std::string_view bytes);

// Missing padding is forgiven. nullopt for an empty text and for one that is no base64.
std::optional<std::string> FromBase64(std::string text);

}  // namespace couplingd
