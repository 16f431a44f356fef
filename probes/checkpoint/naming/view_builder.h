// Cuts and joins the tensors of a source under new names.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/assembly/assembled_source.h"
#include "probes/checkpoint/tensor_source.h"

namespace couplingd {

// A view of one of the source's tensors.
struct TensorView {
  std::size_t tensor = 0;
  std::int64_t begin = 0;  // elements
  std::vector<std::int64_t> shape, stride;
};

class ViewBuilder {
 public:
  explicit ViewBuilder(const TensorSource& source) : source_(source) {}

  TensorView Whole(std::size_t tensor) const;
  const std::string& NameOf(const TensorView& view) const;

  // Elements [first, first + count) of the first dimension. kInvalidData where it has fewer.
  Result<TensorView> Rows(const TensorView& view, std::int64_t first, std::int64_t count) const;
  // Element `index` of the first dimension, which goes.
  Result<TensorView> At(const TensorView& view, std::int64_t index) const;
  // The first dimension as several. kInvalidData where they do not multiply to it.
  Result<TensorView> Split(const TensorView& view, const std::vector<std::int64_t>& sizes) const;
  // The view itself. kInvalidData where it has another number of dimensions.
  Result<TensorView> OfRank(const TensorView& view, std::size_t rank) const;
  // Two dimensions, one for the other.
  static TensorView Swap(TensorView view, std::size_t a, std::size_t b);

  // Adds a tensor that reads through the view; the first `merged` dimensions become one.
  void Add(std::string name, const TensorView& view, std::size_t merged = 1);
  // The same under another shape of as many elements.
  void AddShaped(std::string name, const TensorView& view, std::vector<std::int64_t> shape);
  // The same of several views, one below the other.
  void AddJoined(std::string name, const std::vector<TensorView>& views, std::size_t merged);

  std::vector<AssembledTensor> Take() { return std::move(tensors_); }

 private:
  std::unexpected<Error> WrongShape(const TensorView& view) const;

  const TensorSource& source_;
  std::vector<AssembledTensor> tensors_;
};

}  // namespace couplingd
