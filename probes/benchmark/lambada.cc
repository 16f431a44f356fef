#include <fmt/format.h>

#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"

namespace couplingd {
namespace {

// The one continuation is the last word; what counts is whether the model would have written it.
Result<BenchmarkRow> LambadaRow(const JsonValue& object, const std::string& where) {
  const std::string text = TRY(GetString(object, "text", where));
  const std::size_t blank = text.rfind(' ');
  if (blank == std::string::npos) {
    return BadItem(where, "field \"text\" is one word, so none is left to predict it from");
  }
  PackItem item = {.contexts = {text.substr(0, blank)}, .choices = {text.substr(blank + 1)}};
  item.labels = {true};
  return BenchmarkRow{std::move(item), {}};
}

Result<Rows> ReadLambada(Paths paths) { return ReadLineRows(paths[0], LambadaRow); }

}  // namespace

Result<std::vector<Pack>> BuildLambadaOpenai(Paths paths, const ShotRequest& shots) {
  return BuildFromRows(NewPack("lambada_openai", "1", {"acc"}, paths, shots), paths, ReadLambada,
                       ShotDraw::kPlain, shots);
}

}  // namespace couplingd
