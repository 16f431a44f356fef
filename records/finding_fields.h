// Reading the labels and values of a finding.
#pragma once

#include <optional>
#include <string>

#include "records/alert.h"

namespace couplingd {

// "" where the finding does not carry it.
std::string LabelOf(const Finding& finding, const std::string& name);
std::optional<double> ValueOf(const Finding& finding, const std::string& name);

}  // namespace couplingd
