// How the answers of queries.h look on a terminal and in CSV.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/table.h"

namespace couplingd {

struct View {
  std::string_view verb;
  TableLayout layout;
  std::vector<std::string_view> csv_keys;
  std::string_view nothing;  // what is said of an empty answer
};

// Of the verbs whose answer is an array; nullptr for others.
const View* FindView(std::string_view verb);

// The object of `status` as text, `width` columns wide.
std::string RenderStatus(const JsonValue& status, std::size_t width);

// One line on what the phase rules may have cost so far, from the object of `status`; empty where
// there are none.
std::string FalseAlarmText(const JsonValue& status);

// One alert in full: numbers, interval, interventions with their reasons, deliveries.
std::string RenderAlert(const JsonValue& alert, std::size_t width);

}  // namespace couplingd
