#include "probes/checkpoint/tensor_source.h"

#include <algorithm>
#include <array>

namespace couplingd {
namespace {

struct DTypeRow {
  DType dtype;
  std::string_view spelling;
  int bits;
};

constexpr std::array<DTypeRow, 22> kDTypes = {{
    {DType::kBool, "BOOL", 8},
    {DType::kF4, "F4", 4},
    {DType::kF6E2M3, "F6_E2M3", 6},
    {DType::kF6E3M2, "F6_E3M2", 6},
    {DType::kU8, "U8", 8},
    {DType::kI8, "I8", 8},
    {DType::kF8E5M2, "F8_E5M2", 8},
    {DType::kF8E4M3, "F8_E4M3", 8},
    {DType::kF8E8M0, "F8_E8M0", 8},
    {DType::kF8E4M3Fnuz, "F8_E4M3FNUZ", 8},
    {DType::kF8E5M2Fnuz, "F8_E5M2FNUZ", 8},
    {DType::kI16, "I16", 16},
    {DType::kU16, "U16", 16},
    {DType::kF16, "F16", 16},
    {DType::kBF16, "BF16", 16},
    {DType::kI32, "I32", 32},
    {DType::kU32, "U32", 32},
    {DType::kF32, "F32", 32},
    {DType::kC64, "C64", 64},
    {DType::kF64, "F64", 64},
    {DType::kI64, "I64", 64},
    {DType::kU64, "U64", 64},
}};

const DTypeRow& RowOf(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::string_view ToString(DType dtype) { return RowOf(dtype).spelling; }
int BitsOf(DType dtype) { return RowOf(dtype).bits; }

std::optional<DType> ParseDType(std::string_view spelling) {
  const auto row = std::ranges::find(kDTypes, spelling, &DTypeRow::spelling);
  if (row == kDTypes.end()) return std::nullopt;
  return row->dtype;
}

std::int64_t TensorInfo::Elements() const {
  std::int64_t elements = 1;
  for (const std::int64_t size : shape) elements *= size;
  return elements;
}

const TensorInfo* TensorSource::Find(std::string_view name) const {
  const std::vector<TensorInfo>& all = tensors();
  const auto found = std::ranges::lower_bound(
      all, name, {}, [](const TensorInfo& tensor) { return std::string_view(tensor.name); });
  return found != all.end() && found->name == name ? &*found : nullptr;
}

}  // namespace couplingd
