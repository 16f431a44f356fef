// The verb internals.
#pragma once

#include "cli/commands.h"

namespace couplingd {

void AddInternalsVerb(CLI::App& app, CommandContext& context);

}  // namespace couplingd
