// Text for a terminal.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace couplingd {

// Valid UTF-8 in which nothing can steer a terminal: control characters, escapes and marks that
// reverse the direction of text are written as \xNN or \u{NNNN}. Line breaks are kept where
// `keep_lines`.
std::string Printable(std::string_view text, bool keep_lines = false);

// The same without anything beyond ASCII: — as -, ± as +-, γ as gamma, … as ..., others as ?.
std::string ToAscii(std::string_view text);

// Columns that the text takes: code points, marks that combine not counted.
std::size_t DisplayWidth(std::string_view text);

// A span that nobody needs to know exactly: "12s", "3m20s", "1h5m", "2d3h".
std::string RoughSpan(std::chrono::milliseconds span);

// At most `width` columns; what is cut from the middle is replaced by an ellipsis.
std::string Shorten(std::string_view text, std::size_t width);

// Lines of at most `width` columns, broken at blanks where there are any.
std::vector<std::string> Wrap(std::string_view text, std::size_t width);

}  // namespace couplingd
