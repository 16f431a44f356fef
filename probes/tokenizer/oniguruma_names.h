// The names of character sets in Oniguruma's dialect,
// each as text that PCRE2 takes inside a bracket class.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace couplingd {

// \w. Outside of brackets Oniguruma counts the superscript digits and fractions of Latin-1 too.
std::string WordItems(bool in_brackets);

// The name in \p{...}: a category, a POSIX name, a script or a binary property. Scripts are asked
// for as such, since PCRE2 would take the script extensions. Absent where it cannot be a name;
// PCRE2 still has to know it.
std::optional<std::string> PropertyItems(std::string_view name, bool in_brackets);

// True where case makes no difference to a set: under (?i) Oniguruma adds the case variants of the
// members of all others, which PCRE2 does not.
bool IsClosedUnderCase(std::string_view name);

// The name in [:...:]; absent where Oniguruma has none such.
std::optional<std::string_view> PosixItems(std::string_view name);

}  // namespace couplingd
