#include "probes/checkpoint/naming/canonical_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/numbers.h"
#include "probes/checkpoint/naming/name_table.h"
#include "probes/checkpoint/naming/view_builder.h"

namespace couplingd {
namespace {

// "decoder.layers.3.mlp.weight" with "decoder.layers.": layer 3, "mlp.weight".
struct LayerName {
  std::int64_t layer = 0;
  std::string_view rest;
};

std::optional<LayerName> ParseLayer(std::string_view name, std::string_view beginning) {
  if (!name.starts_with(beginning)) return std::nullopt;
  name.remove_prefix(beginning.size());
  const auto layer = TakeDigits(name);
  if (!layer || !name.starts_with('.')) return std::nullopt;
  return LayerName{*layer, name.substr(1)};
}

struct ExpertName {
  std::string pattern;  // the name with "{}" for the number
  std::int64_t expert = 0;
};

// "mlp.experts.local_experts.3.linear_fc1.weight": expert 3; other names have none.
ExpertName ParseExpert(std::string_view name) {
  constexpr std::string_view kExperts = "local_experts.";
  const std::size_t at = name.find(kExperts);
  const auto number =
      at == std::string_view::npos ? std::nullopt : ParseLayer(name.substr(at), kExperts);
  if (!number) return {std::string(name), 0};
  return {fmt::format("{}{{}}.{}", name.substr(0, at + kExperts.size()), number->rest),
          number->layer};
}

// Where a tensor stands in the model.
struct Place {
  std::optional<std::int64_t> layer;
  std::int64_t expert = 0;
};

class Renamer {
 public:
  Renamer(const TensorSource& source, Naming naming, const ModelDimensions& model)
      : source_(source),
        naming_(naming),
        table_(NameTableOf(naming, model.model_type)),
        model_(model),
        builder_(source) {}

  Result<std::vector<AssembledTensor>> Rename() {
    for (std::size_t i = 0; i < source_.tensors().size(); ++i) {
      TRY(RenameOne(source_.tensors()[i].name, builder_.Whole(i)));
    }
    return builder_.Take();
  }

 private:
  Status RenameOne(std::string_view name, const TensorView& view) {
    if (name.ends_with("rope.cache") || name.ends_with("freqs_cis") ||
        name.ends_with("tokens_per_expert_E")) {
      return {};  // buffers
    }
    if (const auto layer = ParseLayer(name, table_.layers_from)) {
      const ExpertName expert = ParseExpert(layer->rest);
      const NameRow* row = table_.Find(expert.pattern);
      if (row) return Write(*row, {layer->layer, expert.expert}, view);
    } else if (naming_ == Naming::kMegatron && name.starts_with(table_.layers_from)) {
      // Megatron's torch_dist keeps all layers in one tensor.
      const NameRow* row = table_.Find(name.substr(table_.layers_from.size()));
      if (row && !view.shape.empty()) {
        for (std::int64_t i = 0; i < view.shape[0]; ++i) {
          TRY(Write(*row, {i}, TRY(builder_.At(view, i))));
        }
        return {};
      }
    } else if (const NameRow* row = table_.Find(name)) {
      return Write(*row, {}, view);
    }
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{}: the tensor \"{}\", in {}'s names, has no place in the family {}",
                            source_.tensors()[view.tensor].file, name, ToString(naming_),
                            model_.model_type),
                "check model_type in the model_config");
  }

  std::string Named(const Place& place, std::string_view name) const {
    const std::size_t at = name.find("{}");
    const std::string filled =
        at == std::string_view::npos
            ? std::string(name)
            : fmt::format("{}{}{}", name.substr(0, at), place.expert, name.substr(at + 2));
    return place.layer ? fmt::format("{}{}.{}", table_.layers_to, *place.layer, filled) : filled;
  }

  Status Write(const NameRow& row, const Place& place, const TensorView& view) {
    const std::string name = Named(place, row.to);
    switch (row.cut) {
      case Cut::kAsItIs:
        builder_.Add(name, view);
        return {};
      case Cut::kVocabulary: {
        const std::int64_t rows = view.shape.empty() ? 0 : view.shape[0];
        builder_.Add(name, TRY(builder_.Rows(view, 0, std::min(rows, model_.vocab_size))));
        return {};
      }
      case Cut::kInterleavedQuery:
        return WriteRotary(name, view, model_.heads);
      case Cut::kInterleavedKey:
        return WriteRotary(name, view, model_.kv_heads);
      case Cut::kQueryKeyValue:
        return WriteQueryKeyValue(Named(place, "self_attn"), row.to, view);
      case Cut::kGroupedQueryKeyValue:
        return WriteGrouped(Named(place, "self_attn"), row.to, view);
      case Cut::kGateUp:
        return WriteGateUp(row, place, view);
      case Cut::kHeadwise:
        return WriteExchanged(name, view, 3, model_.heads);
      case Cut::kGroupedBlocks:
        return WriteExchanged(name, view, model_.heads, 3);
      case Cut::kGroupedColumns:
        return WriteColumns(name, view);
      case Cut::kTransposed:
        builder_.Add(name, ViewBuilder::Swap(TRY(builder_.OfRank(view, 2)), 0, 1));
        return {};
      case Cut::kExperts:
      case Cut::kExpertGateUp:
        return WriteExperts(row, place, view);
    }
    return {};
  }

  // The width of experts the configuration does not say here.
  Status WriteGateUp(const NameRow& row, const Place& place, const TensorView& view) {
    const bool is_expert = row.to.contains("{}");
    const std::int64_t rows = view.shape.empty() ? 0 : view.shape[0];
    const std::int64_t wide = is_expert ? rows / 2 : model_.intermediate_size;
    const TensorView halves = TRY(builder_.Split(view, {2, wide}));
    const std::string stem = Named(place, row.to);
    builder_.Add(stem + "gate_proj.weight", TRY(builder_.At(halves, 0)));
    builder_.Add(stem + "up_proj.weight", TRY(builder_.At(halves, 1)));
    return {};
  }

  Status WriteExperts(const NameRow& row, Place place, const TensorView& view) {
    const TensorView experts = TRY(builder_.OfRank(view, 3));
    for (place.expert = 0; place.expert < experts.shape[0]; ++place.expert) {
      const TensorView one = TRY(builder_.At(experts, place.expert));
      if (row.cut == Cut::kExpertGateUp) {
        TRY(WriteGateUp(row, place, one));
      } else {
        builder_.Add(Named(place, row.to), one);
      }
    }
    return {};
  }

  // Rows [first, second, head] as [second, first, head].
  Status WriteExchanged(std::string name, const TensorView& view, std::int64_t first,
                        std::int64_t second) {
    const TensorView split = TRY(builder_.Split(view, {first, second, model_.head_dim}));
    builder_.Add(std::move(name), ViewBuilder::Swap(split, 0, 1), 3);
    return {};
  }

  // Rows [heads, 3, head] of inputs as inputs by columns [3, heads, head].
  Status WriteColumns(std::string name, const TensorView& view) {
    const std::int64_t rows = 3 * model_.heads * model_.head_dim;
    const TensorView matrix = TRY(builder_.OfRank(view, 2));
    TensorView split = TRY(builder_.Split(matrix, {model_.heads, 3, model_.head_dim}));
    for (const auto& [a, b] : {std::pair{0, 1}, {2, 3}, {1, 2}, {0, 1}}) {
      split = ViewBuilder::Swap(std::move(split), a, b);
    }
    builder_.AddShaped(std::move(name), split, {matrix.shape[1], rows});
    return {};
  }

  // torchtitan's Llama turns neighbouring elements, Hugging Face's the two halves of a head.
  Status WriteRotary(std::string name, const TensorView& view, std::int64_t heads) {
    if (naming_ != Naming::kNanotron && model_.model_type != "llama" &&
        model_.model_type != "mistral") {
      builder_.Add(std::move(name), view);
      return {};
    }
    const TensorView pairs = TRY(builder_.Split(view, {heads, model_.head_dim / 2, 2}));
    builder_.Add(std::move(name), ViewBuilder::Swap(pairs, 1, 2), 3);
    return {};
  }

  Status WriteQueryKeyValue(const std::string& stem, std::string_view kind,
                            const TensorView& view) {
    const std::int64_t queries = model_.heads * model_.head_dim;
    const std::int64_t keys = model_.kv_heads * model_.head_dim;
    const TensorView of_queries = TRY(builder_.Rows(view, 0, queries));
    const TensorView of_keys = TRY(builder_.Rows(view, queries, keys));
    if (naming_ == Naming::kNanotron) {
      TRY(WriteRotary(fmt::format("{}.q_proj.{}", stem, kind), of_queries, model_.heads));
      TRY(WriteRotary(fmt::format("{}.k_proj.{}", stem, kind), of_keys, model_.kv_heads));
    } else {
      builder_.Add(fmt::format("{}.q_proj.{}", stem, kind), of_queries);
      builder_.Add(fmt::format("{}.k_proj.{}", stem, kind), of_keys);
    }
    builder_.Add(fmt::format("{}.v_proj.{}", stem, kind),
                 TRY(builder_.Rows(view, queries + keys, keys)));
    return {};
  }

  Status WriteGrouped(const std::string& stem, std::string_view kind, const TensorView& view) {
    const std::int64_t shared = model_.heads / model_.kv_heads;
    const TensorView groups =
        TRY(builder_.Split(view, {model_.kv_heads, shared + 2, model_.head_dim}));
    const auto part = [&](std::int64_t first, std::int64_t count) -> Result<TensorView> {
      const TensorView cut = TRY(builder_.Rows(ViewBuilder::Swap(groups, 0, 1), first, count));
      return ViewBuilder::Swap(cut, 0, 1);
    };
    builder_.Add(fmt::format("{}.q_proj.{}", stem, kind), TRY(part(0, shared)), 3);
    builder_.Add(fmt::format("{}.k_proj.{}", stem, kind), TRY(part(shared, 1)), 3);
    builder_.Add(fmt::format("{}.v_proj.{}", stem, kind), TRY(part(shared + 1, 1)), 3);
    return {};
  }

  const TensorSource& source_;
  const Naming naming_;
  const NameTable table_;
  const ModelDimensions& model_;
  ViewBuilder builder_;
};

}  // namespace

Result<CheckpointWeights> WithCanonicalNames(CheckpointWeights weights,
                                             const ModelDimensions& model) {
  if (weights.naming == Naming::kHuggingFace) return weights;
  if (NameTableOf(weights.naming, model.model_type).rows.empty()) {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("the names of {} are not mapped to the family {}",
                            ToString(weights.naming), model.model_type),
                fmt::format("mapped are {}; or convert the checkpoint to safetensors",
                            fmt::join(MappedFamilies(weights.naming), ", ")));
  }
  std::vector<AssembledTensor> tensors =
      TRY(Renamer(*weights.source, weights.naming, model).Rename());
  weights.source = TRY(Assemble(SpansOfTensors(std::move(weights.source)), std::move(tensors)));
  weights.naming = Naming::kHuggingFace;
  return weights;
}

}  // namespace couplingd
