// Quantities as people write and read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace couplingd {

// "250ms", "30s", "5m", "2h", "7d" and sums such as "1h30m". A bare number is refused.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

// "512KiB", "8GiB", "1TiB", "100MB" (decimal), "123B". A bare number is refused.
Result<std::uint64_t> ParseSize(std::string_view text);

// "70M", "1.4B", "3e9", "2.1T" as a count.
Result<double> ParseCount(std::string_view text);

std::string FormatDuration(std::chrono::milliseconds span);  // exact, as ParseDuration reads it
std::string FormatSize(std::uint64_t bytes);                 // "1.5 GiB"
std::string FormatCount(double count);  // "1.4B", "404.6k", three digits or four

}  // namespace couplingd
