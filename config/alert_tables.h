// The keys of what raises alerts and of where they go: their part of tables.h.
#pragma once

#include "config/config.h"
#include "config/schema.h"

namespace couplingd {

const Table<RuleConfig>& RuleTable();
const Table<SinkConfig>& SinkTable();
const Table<HeartbeatConfig>& HeartbeatTable();

}  // namespace couplingd
