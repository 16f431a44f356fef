// How the answers of queries.h that are one object look on a terminal.
#pragma once

#include <cstddef>
#include <string>

#include "base/json.h"

namespace couplingd {

// The object of `status` as text, `width` columns wide.
std::string RenderStatus(const JsonValue& status, std::size_t width);

// One line on what the phase rules may have cost so far, from the object of `status`; empty where
// there are none.
std::string FalseAlarmText(const JsonValue& status);

// One alert in full: numbers, interval, interventions with their reasons, deliveries.
std::string RenderAlert(const JsonValue& alert, std::size_t width);

}  // namespace couplingd
