// Every key of the configuration, described once.
#pragma once

#include "config/config.h"
#include "config/schema.h"

namespace couplingd {

const Table<Config>& ConfigTable();

// What is used where the file names no axes and no rules.
std::vector<AxisPair> DefaultAxes();
std::vector<RuleConfig> DefaultRules();

// The relations that no single row sees: duplicate names, references to what is not defined, paths
// that collide.
void CheckWhole(const Config& config, const Scope& scope);

}  // namespace couplingd
