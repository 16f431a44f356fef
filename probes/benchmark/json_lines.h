// Files of items, read within bounds: one JSON object a line.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace couplingd {

inline constexpr std::size_t kMaxItemFileBytes = std::size_t{1} << 30;
inline constexpr std::size_t kMaxLineBytes = 16u << 20;
inline constexpr std::size_t kMaxChoices = 1024;

// Calls `visit` with every line's object and "path:line" until it returns an error. Blank lines are
// passed over; a file without any object is kInvalidData.
Status ForEachLine(
    const std::string& path,
    const std::function<Status(const JsonValue& object, const std::string& where)>& visit);

// The same for a file that is one JSON array of objects, "path: entry N"; else as ForEachLine.
Status ForEachObject(
    const std::string& path,
    const std::function<Status(const JsonValue& object, const std::string& where)>& visit);

// The first object of the file, to recognise it by.
Result<JsonDocument> FirstLine(const std::string& path);

// The member as a list of strings; kInvalidData with `where` and the key.
Result<std::vector<std::string>> GetStrings(const JsonValue& object, std::string_view key,
                                            const std::string& where);

// kInvalidData "where: cause".
std::unexpected<Error> BadItem(std::string_view where, std::string_view cause,
                               std::string_view hint = "");

}  // namespace couplingd
