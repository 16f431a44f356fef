// Which tensor of a training framework is which of a Hugging Face family.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "probes/checkpoint/checkpoint_weights.h"

namespace couplingd {

// How rows and columns of a framework's matrix become those of the family.
enum class Cut {
  kAsItIs,
  kVocabulary,        // rows beyond the vocabulary are padding
  kInterleavedQuery,  // rows of a head ordered for interleaved rotary positions
  kInterleavedKey,
  kQueryKeyValue,         // rows: all queries, all keys, all values
  kGroupedQueryKeyValue,  // rows: per group its queries, its key, its value
  kGateUp,                // rows: gate, up
  kHeadwise,              // rows: all queries, keys, values; wanted per head its own
  kGroupedBlocks,         // rows: per head its query, key, value; wanted all queries, keys, values
  kGroupedColumns,        // the same, wanted transposed
  kTransposed,
  kExperts,       // one matrix per expert
  kExpertGateUp,  // the same, rows: gate, up
};

// `from` and `to` follow the name of the layer; outside layers they are whole names. A "{}" stands
// for the number of an expert.
struct NameRow {
  std::string_view from, to;
  Cut cut = Cut::kAsItIs;
};

struct NameTable {
  std::string_view layers_from;  // "decoder.layers."
  std::string_view layers_to;    // "model.layers."
  std::vector<std::span<const NameRow>> rows;

  // nullptr where no row has the name.
  const NameRow* Find(std::string_view from) const;
};

// Empty `rows` where the framework's names are not mapped to the family.
NameTable NameTableOf(Naming naming, std::string_view model_type);

// Families that the framework's names are mapped to.
std::vector<std::string_view> MappedFamilies(Naming naming);

}  // namespace couplingd
