// Item packs: the items of one task as text, in one form whatever they were built from.
//
// A pack is a folder of two files:
//   pack.json    {"name", "version", "metrics" (headline first), "delimiter", "fewshot" {"n",
//   "preset", "seed"},
//                 "sources" [text, …]}
//   items.jsonl  one object a line: {"id", "cluster"?, "context" or "contexts", "choices", "gold"
//   or "labels"}
// What is scored is the continuation delimiter + choice after the item's context; lengths for
// normalised metrics are those of the choice alone, as lm-eval counts them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace couplingd {

struct PackItem {
  std::string id;                     // unique in the pack
  std::string cluster;                // items that are no independent draws share one; empty: none
  std::vector<std::string> contexts;  // one for all choices, or one per choice
  std::vector<std::string> choices;   // two or more, without the pack's delimiter; one where the
                                      // task is of texts (IsOneTextTask)
  std::vector<bool> labels;  // parallel to choices: the right ones, at least one and not all

  const std::string& ContextOf(std::size_t choice) const {
    return contexts[contexts.size() == 1 ? 0 : choice];
  }
};

// How the few-shot text that already stands in the contexts was made.
struct FewShot {
  int n = 0;
  std::string
      preset;  // "lm-eval": its default for the task; empty: the contexts are the user's own
  std::optional<std::int64_t> seed;
};

struct Pack {
  std::string name;  // the task's name in scores: "hellaswag"
  std::string version;
  std::vector<std::string> metrics;  // headline first; names known to metrics.h
  std::string
      delimiter;  // stands between context and choice; " " in lm-eval, "" in users' own items
  FewShot fewshot;
  std::vector<std::string> sources;  // where the items come from, for people; no part of the hash
  std::vector<PackItem> items;

  std::string Continuation(const PackItem& item, std::size_t choice) const {
    return delimiter + item.choices[choice];
  }
};

// XXH3-128 over the canonical bytes of everything but `sources`: one JSON object per line with its
// keys in a fixed order, the pack first and then each item. Two packs with one hash ask the same
// questions.
std::string PackHash(const Pack& pack);

// What every pack must satisfy (the field comments above, unique ids, known metrics, valid UTF-8
// without NUL, nothing empty that is scored). The error names the item by its id; `source` stands
// before it.
Status CheckPack(const Pack& pack, std::string_view source);

// Gives every item without an id one that follows from its text ("3f9c…", 16 hexadecimal digits;
// "-2" and so on is appended where the same item stands again), so that ids survive when items are
// added or removed.
void FillItemIds(std::vector<PackItem>& items);

// A pack folder; or one file, recognised by its content: the user's own items (lines as in
// items.jsonl; the choice is appended to its context as it stands), or lm-eval's
// samples_<task>_<date>.jsonl (samples.h). Errors name file:line, field and cause.
Result<Pack> LoadPack(const std::string& path);

// Writes pack.json and items.jsonl into `directory`, which is made where it is not; LoadPack reads
// the same pack back.
Status WritePack(const Pack& pack, const std::string& directory);

}  // namespace couplingd
