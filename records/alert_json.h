// Interventions as JSON, the same in the store, in answers and in webhooks.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "records/alert.h"

namespace couplingd {

// An array of {kind, action, reason, evidence, expected, preconditions, against}; with `grades`,
// one for each, also grade.
void WriteInterventions(JsonWriter& json, std::span<const Intervention> interventions,
                        std::span<const InterventionGrade> grades = {});

// Reads what WriteInterventions wrote, and the three first fields alone. Errors name `source`.
Result<std::vector<Intervention>> ReadInterventions(const JsonValue& array,
                                                    std::string_view source);

}  // namespace couplingd
