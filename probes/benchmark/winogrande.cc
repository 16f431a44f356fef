#include <fmt/format.h>

#include "base/hash.h"
#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

// Twins differ in a word or two and share their answers, so they are one cluster: "3FCO…-1" and
// "3FCO…-2".
std::string TwinsOf(const std::string& id) {
  return id.ends_with("-1") || id.ends_with("-2") ? id.substr(0, id.size() - 2) : "";
}

Result<PackItem> Simplified(const JsonValue& object, const std::string& where) {
  PackItem item;
  item.contexts = TRY(GetStrings(object, "context_options", where));
  const std::size_t n = item.contexts.size();
  item.choices.assign(n, TRY(GetString(object, "continuation", where)));
  item.labels = OneLabel(TRY(GetIndex(object, "gold", n, where)), n);
  std::string contexts;
  for (const std::string& context : item.contexts) contexts += context + '\n';
  item.cluster = HashHex(contexts).substr(0, 16);
  return item;
}

// Partial evaluation: the sentence up to the blank with each option, then the rest, which is what
// is scored.
Result<PackItem> Original(const JsonValue& object, const std::string& where) {
  PackItem item = {.id = TRY(FindString(object, "qID", where)).value_or("")};
  item.cluster = TwinsOf(item.id);
  const std::string sentence = TRY(GetString(object, "sentence", where));
  const std::size_t blank = sentence.find('_');
  if (blank == std::string::npos) return BadItem(where, "field \"sentence\" has no blank \"_\"");
  for (const char* option : {"option1", "option2"}) {
    item.contexts.push_back(sentence.substr(0, blank) + TRY(GetString(object, option, where)));
  }
  item.choices.assign(2, std::string(Strip(std::string_view(sentence).substr(blank + 1))));
  const std::size_t answer = TRY(GetIndex(object, "answer", 3, where));
  if (answer == 0) return BadItem(where, "field \"answer\" must be 1 or 2");
  item.labels = OneLabel(answer - 1, 2);
  return item;
}

constexpr std::string_view kKeys[] = {"sentence", "option1", "option2", "answer"};
constexpr std::string_view kSimplifiedKeys[] = {"context_options", "continuation", "gold"};

Result<BenchmarkRow> WinograndeRow(const JsonValue& object, const std::string& where) {
  if (!FindMember(object, "context_options")) {
    return BenchmarkRow{TRY(Original(object, where)), RowIdentity(object, kKeys)};
  }
  return BenchmarkRow{TRY(Simplified(object, where)), RowIdentity(object, kSimplifiedKeys)};
}

Result<Rows> ReadWinogrande(Paths paths) { return ReadLineRows(paths[0], WinograndeRow); }

}  // namespace

Result<std::vector<Pack>> BuildWinogrande(Paths paths, const ShotRequest& shots) {
  return BuildFromRows(NewPack("winogrande", "1", {"acc"}, paths, shots), paths, ReadWinogrande,
                       ShotDraw::kWithoutItself, shots);
}

}  // namespace couplingd
