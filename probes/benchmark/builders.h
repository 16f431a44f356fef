// One builder per kind of benchmark file; sources.cc holds the table that names them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "probes/benchmark/few_shot.h"
#include "probes/benchmark/pack.h"

namespace couplingd {

using Paths = std::span<const std::string>;

// A pack of lm-eval's conventions without items; one space as delimiter. `sources` are the files'
// names.
Pack NewPack(std::string name, std::string version, std::vector<std::string> metrics, Paths paths,
             const ShotRequest& shots);

// The pack with the rows of `paths` as its items, and their shots from the rows of `shots.from`.
Result<std::vector<Pack>> BuildFromRows(Pack pack, Paths paths, Result<Rows> (*read)(Paths paths),
                                        ShotDraw draw, const ShotRequest& shots);

// The rows of a file of one JSON object a line, or of one array of objects.
Result<Rows> ReadLineRows(const std::string& path,
                          Result<BenchmarkRow> (*read)(const JsonValue& object,
                                                       const std::string& where));

// One true label at `gold`. REQUIRES: gold < choices.
std::vector<bool> OneLabel(std::size_t gold, std::size_t choices);

// "gold" (or another key) of a line as an index below `choices`; a whole number or its digits as
// text.
Result<std::size_t> GetIndex(const JsonValue& object, std::string_view key, std::size_t choices,
                             const std::string& where);

Result<std::vector<Pack>> BuildTruthfulQa(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildHellaSwag(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildArcEasy(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildArcChallenge(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildWinogrande(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildPiqa(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildMmlu(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildSciq(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildLogiqa(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildWsc(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildCrowsPairsEnglish(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildCrowsPairsFrench(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildGpqaDiamond(Paths paths, const ShotRequest& shots);
Result<std::vector<Pack>> BuildLambadaOpenai(Paths paths, const ShotRequest& shots);

}  // namespace couplingd
