// How many items the real benchmarks have, so that a part of one is never taken for the whole.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "probes/benchmark/pack.h"

namespace couplingd {

// Items that lm-eval evaluates of the task; absent for a task that is not known here.
std::optional<std::size_t> BenchmarkSize(std::string_view task);

// "3 items, but arc_easy has 2376: …" where the pack has another number than its benchmark; else
// empty.
std::string SizeWarning(const Pack& pack);

}  // namespace couplingd
