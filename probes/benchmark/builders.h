// One builder per kind of benchmark file; sources.cc holds the table that names them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "probes/benchmark/pack.h"
#include "probes/benchmark/sources.h"

namespace couplingd {

// A pack of lm-eval's conventions without items; `preset` "lm-eval", one space as delimiter.
Pack NewPack(std::string name, std::string version, std::vector<std::string> metrics,
             std::span<const std::string> paths);

// One true label at `gold`. REQUIRES: gold < choices.
std::vector<bool> OneLabel(std::size_t gold, std::size_t choices);

// "gold" (or another key) of a line as an index below `choices`; a whole number or its digits as
// text.
Result<std::size_t> GetIndex(const JsonValue& object, std::string_view key, std::size_t choices,
                             const std::string& where);

using Paths = std::span<const std::string>;

Result<std::vector<Pack>> BuildTruthfulQa(Paths paths, const BuildOptions& options);
Result<std::vector<Pack>> BuildHellaSwag(Paths paths, const BuildOptions& options);
Result<std::vector<Pack>> BuildArcEasy(Paths paths, const BuildOptions& options);
Result<std::vector<Pack>> BuildArcChallenge(Paths paths, const BuildOptions& options);
Result<std::vector<Pack>> BuildWinogrande(Paths paths, const BuildOptions& options);
Result<std::vector<Pack>> BuildPiqa(Paths paths, const BuildOptions& options);
Result<std::vector<Pack>> BuildMmlu(Paths paths, const BuildOptions& options);

}  // namespace couplingd
