#include "probes/checkpoint/naming/view_builder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <numeric>

#include "probes/checkpoint/layouts/stored_tensors.h"

namespace couplingd {
namespace {

std::int64_t Product(const std::vector<std::int64_t>& sizes, std::size_t count) {
  return std::accumulate(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(count),
                         std::int64_t{1}, std::multiplies<>());
}

std::vector<std::int64_t> MergedShape(const TensorView& view, std::size_t merged) {
  std::vector<std::int64_t> shape(view.shape.begin() + static_cast<std::ptrdiff_t>(merged),
                                  view.shape.end());
  if (merged > 0) shape.insert(shape.begin(), Product(view.shape, merged));
  return shape;
}

}  // namespace

std::unexpected<Error> ViewBuilder::WrongShape(const TensorView& view) const {
  const TensorInfo& info = source_.tensors()[view.tensor];
  return Fail(ErrorKind::kInvalidData,
              fmt::format("{}: tensor \"{}\" has the shape [{}], which does not fit the "
                          "configuration",
                          info.file, info.name, fmt::join(info.shape, ", ")),
              "the model_config and the weights do not belong together");
}

TensorView ViewBuilder::Whole(std::size_t tensor) const {
  const std::vector<std::int64_t>& shape = source_.tensors()[tensor].shape;
  return {tensor, 0, shape, RowMajorStrides(shape)};
}

const std::string& ViewBuilder::NameOf(const TensorView& view) const {
  return source_.tensors()[view.tensor].name;
}

Result<TensorView> ViewBuilder::Rows(const TensorView& view, std::int64_t first,
                                     std::int64_t count) const {
  if (view.shape.empty() || first < 0 || count < 0 || first > view.shape[0] ||
      count > view.shape[0] - first) {
    return WrongShape(view);
  }
  TensorView rows = view;
  rows.begin += first * view.stride[0];
  rows.shape[0] = count;
  return rows;
}

Result<TensorView> ViewBuilder::At(const TensorView& view, std::int64_t index) const {
  TensorView at = TRY(Rows(view, index, 1));
  at.shape.erase(at.shape.begin());
  at.stride.erase(at.stride.begin());
  return at;
}

Result<TensorView> ViewBuilder::Split(const TensorView& view,
                                      const std::vector<std::int64_t>& sizes) const {
  if (view.shape.empty() || Product(sizes, sizes.size()) != view.shape[0]) return WrongShape(view);
  TensorView split = view;
  std::vector<std::int64_t> strides = RowMajorStrides(sizes);
  for (std::int64_t& stride : strides) stride *= view.stride[0];
  split.shape.erase(split.shape.begin());
  split.stride.erase(split.stride.begin());
  split.shape.insert(split.shape.begin(), sizes.begin(), sizes.end());
  split.stride.insert(split.stride.begin(), strides.begin(), strides.end());
  return split;
}

Result<TensorView> ViewBuilder::OfRank(const TensorView& view, std::size_t rank) const {
  if (view.shape.size() != rank) return WrongShape(view);
  return view;
}

TensorView ViewBuilder::Swap(TensorView view, std::size_t a, std::size_t b) {
  std::swap(view.shape[a], view.shape[b]);
  std::swap(view.stride[a], view.stride[b]);
  return view;
}

void ViewBuilder::Add(std::string name, const TensorView& view, std::size_t merged) {
  AddJoined(std::move(name), {view}, merged);
}

void ViewBuilder::AddShaped(std::string name, const TensorView& view,
                            std::vector<std::int64_t> shape) {
  Add(std::move(name), view);
  tensors_.back().info.shape = std::move(shape);
}

void ViewBuilder::AddJoined(std::string name, const std::vector<TensorView>& views,
                            std::size_t merged) {
  const TensorInfo& base = source_.tensors()[views.front().tensor];
  std::vector<std::int64_t> shape = MergedShape(views.front(), merged);
  for (std::size_t i = 1; i < views.size(); ++i) shape[0] += MergedShape(views[i], merged)[0];
  AssembledTensor tensor;
  tensor.info = DescribeTensor(std::move(name), base.dtype, std::move(shape), base.file);
  const auto item = static_cast<std::uint64_t>(BitsOf(base.dtype)) / 8;
  std::int64_t target = 0;
  for (const TensorView& view : views) {
    Piece piece = WholePiece(view.tensor, static_cast<std::uint64_t>(view.begin) * item, view.shape,
                             view.stride);
    piece.target_begin = target;
    target += Product(view.shape, view.shape.size());
    tensor.pieces.push_back(std::move(piece));
  }
  tensors_.push_back(std::move(tensor));
}

}  // namespace couplingd
