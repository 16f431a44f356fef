// The fields that a user's own text for an alert may name: {run}, {gamma}, … There is nothing else
// to it: no conditions, no formats, no nesting.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "records/alert.h"

namespace couplingd {

// All of them, in the order in which they are documented.
std::vector<std::string_view> AnnotationFields();

// The first text between braces that is no field.
std::optional<std::string> UnknownField(std::string_view text);

// The text with the finding's values in place of fields. What the finding does not have is written
// as "unknown". Scores are percent, as on every screen.
std::string FillFields(std::string_view text, const Finding& finding);

}  // namespace couplingd
