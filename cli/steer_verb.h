// The verb steer.
#pragma once

#include "cli/commands.h"

namespace couplingd {

void AddSteerVerb(CLI::App& app, CommandContext& context);

}  // namespace couplingd
