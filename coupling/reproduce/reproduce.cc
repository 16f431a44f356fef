#include "coupling/reproduce/reproduce.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace couplingd {
namespace {

std::vector<Reproduction> AllReproductions() {
  std::vector<Reproduction> all;
  for (const auto& claims : {BaseReproductions(), LeverReproductions()}) {
    all.insert(all.end(), claims.begin(), claims.end());
  }
  std::ranges::stable_sort(all, {}, &Reproduction::id);
  return all;
}

Status CheckOptions(const ReproduceOptions& options, const std::vector<Reproduction>& all) {
  if (options.replicates < 1000) {
    return Fail(ErrorKind::kUsage, "a reproduction needs at least 1000 replicates");
  }
  for (const int id : options.ids) {
    if (std::ranges::find(all, id, &Reproduction::id) != all.end()) continue;
    std::vector<int> ids;
    for (const Reproduction& one : all) ids.push_back(one.id);
    return Fail(ErrorKind::kUsage, fmt::format("there is no row {}", id),
                fmt::format("rows are {}", fmt::join(ids, ", ")));
  }
  return {};
}

}  // namespace

Result<PublishedData> ShippedData() {
  PublishedData data;
  data.base = TRY(ShippedBasePanel());
  data.frontier = TRY(ShippedFrontier());
  data.levers = TRY(ShippedLevers());
  return data;
}

Result<std::vector<ReproducedRow>> Reproduce(const PublishedData& data,
                                             const ReproduceOptions& options) {
  const std::vector<Reproduction> all = AllReproductions();
  TRY(CheckOptions(options, all));
  std::vector<ReproducedRow> rows;
  for (const Reproduction& claim : all) {
    const bool wanted =
        options.ids.empty() || std::ranges::find(options.ids, claim.id) != options.ids.end();
    if (!wanted) continue;
    std::vector<ReproducedRow> parts = TRY(claim.compute(data, options));
    for (ReproducedRow& part : parts) part.id = claim.id;
    rows.insert(rows.end(), std::make_move_iterator(parts.begin()),
                std::make_move_iterator(parts.end()));
  }
  return rows;
}

}  // namespace couplingd
