#include <fmt/format.h>

#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

// The right answer comes last.
Result<BenchmarkRow> SciqRow(const JsonValue& object, const std::string& where) {
  PackItem item;
  item.contexts = {
      fmt::format("{}\nQuestion: {}\nAnswer:", StripLeft(TRY(GetString(object, "support", where))),
                  TRY(GetString(object, "question", where)))};
  for (const char* key : {"distractor1", "distractor2", "distractor3", "correct_answer"}) {
    item.choices.push_back(TRY(GetString(object, key, where)));
  }
  item.labels = OneLabel(3, 4);
  return BenchmarkRow{std::move(item), {}};
}

Result<Rows> ReadSciq(Paths paths) { return ReadLineRows(paths[0], SciqRow); }

}  // namespace

Result<std::vector<Pack>> BuildSciq(Paths paths, const ShotRequest& shots) {
  return BuildFromRows(NewPack("sciq", "1", {"acc", "acc_norm"}, paths, shots), paths, ReadSciq,
                       ShotDraw::kPlain, shots);
}

}  // namespace couplingd
