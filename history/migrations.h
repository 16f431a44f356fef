// The tables of each version of the schema.
#pragma once

#include <cstdint>
#include <string_view>

namespace couplingd {

// The SQL that brings a database of version `from`, in [0, kSchemaVersion), to version from + 1.
std::string_view Migration(std::int64_t from);

}  // namespace couplingd
