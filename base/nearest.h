// "Did you mean": the candidate that a misspelt word most likely stands for.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace couplingd {

// The candidate with the fewest edits (insert, delete, replace, swap of neighbours; letter case and
// '-' against '_' are free) if there are at most max(1, length / 3) of them; the first of equals.
std::optional<std::string_view> Nearest(std::string_view word,
                                        const std::vector<std::string_view>& candidates);

}  // namespace couplingd
