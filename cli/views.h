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

// Of alerts, silences, deliveries, events and replays: a part of the above.
std::vector<View> AlertViews();

}  // namespace couplingd
