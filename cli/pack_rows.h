// One row about an item pack, for the verbs that list, check and build them. Internal to those.
#pragma once

#include <string>

#include "base/json.h"
#include "cli/views.h"
#include "probes/benchmark/pack.h"

namespace couplingd {

// {name, version, items, benchmark_items, choices {least, most}, metrics, fewshot {n, preset,
// seed}, delimiter, hash, sources, path, warning}; `path` is null where it is empty, `warning`
// where the pack is as large as its benchmark.
void WritePackRow(JsonWriter& json, const Pack& pack, const std::string& path);

View PackView();

}  // namespace couplingd
