#include "probes/model/packed_linear.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/Version.h>
#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string_view>

#include "probes/model/tile_sizes.h"

namespace couplingd {
namespace {

// Operators that libtorch registers by name and declares in no header.
using Reorder = at::Tensor(const at::Tensor&, std::optional<std::int64_t>);
using Linear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                          std::string_view, c10::List<std::optional<at::Scalar>>,
                          std::optional<std::string_view>);

template <typename Function>
c10::TypedOperatorHandle<Function> Operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Function>();
}

// oneDNN sums a row's products in one go, other libraries in blocks: with 1,536 of them its
// rounding error is twice theirs, with 576 one and a half times.
constexpr std::int64_t kLongestSum = 1024;

// Without AVX-512 MKL is as fast as oneDNN, or faster.
bool UsesOneDnn() {
  return at::hasMKLDNN() && at::globalContext().userEnabledMkldnn() &&
         at::get_cpu_capability() == "AVX512";
}

void Pack(Projection& projection) {
  at::Tensor& weight = projection.weight;
  if (!weight.defined() || !weight.is_cpu() || weight.scalar_type() != at::kFloat) return;
  if (weight.size(1) > kLongestSum || !UsesOneDnn()) {
    weight = weight.t().contiguous().t();
    return;
  }
  static const auto reorder = Operator<Reorder>("mkldnn::_reorder_linear_weight");
  projection.packed = reorder.call(weight, kTileRows);
  weight.reset();
}

}  // namespace

void PackProjections(LayerWeights& layer) {
  for (Projection* projection : {&layer.qkv, &layer.output, &layer.up, &layer.down}) {
    Pack(*projection);
  }
}

at::Tensor PackedLinear(const Projection& projection, const at::Tensor& x) {
  static const auto linear = Operator<Linear>("mkldnn::_linear_pointwise");
  return linear.call(x, projection.packed, projection.OptionalBias(), "none",
                     c10::List<std::optional<at::Scalar>>(), "");
}

}  // namespace couplingd
