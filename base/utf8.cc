#include "base/utf8.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace couplingd {

bool IsValidUtf8(std::string_view text) { return ToValidUtf8(text) == text; }

Status CheckTextFile(std::string_view text, std::string_view source) {
  if (text.find('\0') == std::string_view::npos && IsValidUtf8(text)) return {};
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const bool has_nul = line.find('\0') != std::string_view::npos;
    if (has_nul || !IsValidUtf8(line)) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}:{}: {}", source, number,
                              has_nul ? "a NUL byte" : "text that is not UTF-8"));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

}  // namespace couplingd
