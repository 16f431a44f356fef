// What torch's rebuild functions would make of their arguments.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "probes/checkpoint/torch/storage_reference.h"
#include "probes/checkpoint/torch/torch_archive.h"

namespace couplingd {
namespace {

struct TypeName {
  std::string_view storage;  // class in the module torch
  std::string_view dtype;    // global in the module torch
  DType type;
};

constexpr std::array<TypeName, 20> kTypes = {{
    {"FloatStorage", "float32", DType::kF32},
    {"DoubleStorage", "float64", DType::kF64},
    {"HalfStorage", "float16", DType::kF16},
    {"BFloat16Storage", "bfloat16", DType::kBF16},
    {"LongStorage", "int64", DType::kI64},
    {"IntStorage", "int32", DType::kI32},
    {"ShortStorage", "int16", DType::kI16},
    {"CharStorage", "int8", DType::kI8},
    {"ByteStorage", "uint8", DType::kU8},
    {"BoolStorage", "bool", DType::kBool},
    {"ComplexFloatStorage", "complex64", DType::kC64},
    {"", "uint16", DType::kU16},
    {"", "uint32", DType::kU32},
    {"", "uint64", DType::kU64},
    {"", "float8_e5m2", DType::kF8E5M2},
    {"", "float8_e4m3fn", DType::kF8E4M3},
    {"", "float8_e8m0fnu", DType::kF8E8M0},
    {"", "float8_e4m3fnuz", DType::kF8E4M3Fnuz},
    {"", "float8_e5m2fnuz", DType::kF8E5M2Fnuz},
    {"", "float", DType::kF32},
}};

constexpr std::string_view kUtils = "torch._utils";
constexpr int kMaxNesting = 16;
constexpr std::uint64_t kMostShared = 16;  // all tensors together, in sizes of the file

struct Rebuild {
  PickleRef callable = nullptr, arguments = nullptr;
};

// Unwraps Parameter and subclasses down to the function that makes a plain tensor.
std::optional<Rebuild> RebuildOf(PickleRef value) {
  Rebuild rebuild;
  for (int unwrapped = 0; unwrapped < 4; ++unwrapped) {
    if (!value || !value->Is(PickleKind::kObject)) return std::nullopt;
    rebuild = {value->callable, value->arguments};
    if (IsGlobal(rebuild.callable, "torch._tensor", "_rebuild_from_type_v2")) {
      const PickleRef type = ElementAt(rebuild.arguments, 1);
      if (!IsGlobal(type, "torch", "Tensor") &&
          !IsGlobal(type, "torch.nn.parameter", "Parameter")) {
        return std::nullopt;
      }
      rebuild = {ElementAt(rebuild.arguments, 0), ElementAt(rebuild.arguments, 2)};
    }
    for (const std::string_view plain :
         {"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3"}) {
      if (IsGlobal(rebuild.callable, kUtils, plain)) return rebuild;
    }
    if (!IsGlobal(rebuild.callable, kUtils, "_rebuild_parameter") &&
        !IsGlobal(rebuild.callable, kUtils, "_rebuild_parameter_with_state")) {
      return std::nullopt;
    }
    value = ElementAt(rebuild.arguments, 0);
  }
  return std::nullopt;
}

class TensorLocator {
 public:
  TensorLocator(const TorchArchive& archive, std::string_view name)
      : archive_(archive), name_(name) {}

  Result<StoredTensor> Locate(const Rebuild& rebuild) {
    const PickleRef arguments = rebuild.arguments;
    if (!arguments || arguments->elements.size() < 4) return Invalid("too few arguments");
    const StorageReference reference =
        TRY(ParseStorageReference(ElementAt(arguments, 0), archive_.path));
    StoredTensor tensor;
    tensor.dtype = TRY(DTypeOf(rebuild, reference));
    const auto shape = IntegersOf(ElementAt(arguments, 2));
    const auto stride = IntegersOf(ElementAt(arguments, 3));
    const PickleRef offset = ElementAt(arguments, 1);
    if (!shape || !stride || shape->size() != stride->size() || !offset->Is(PickleKind::kInt)) {
      return Invalid("its offset, shape and strides do not belong together");
    }
    tensor.shape = *shape;
    tensor.stride = *stride;
    TRY(RefuseConjugate(rebuild));
    TRY(Place(reference, offset->integer, tensor));
    return tensor;
  }

 private:
  std::unexpected<Error> Invalid(std::string_view cause) const {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: tensor \"{}\": {}", archive_.path, name_, cause),
                "the file is damaged, or was not written by torch.save");
  }

  Result<DType> DTypeOf(const Rebuild& rebuild, const StorageReference& reference) const {
    if (!IsGlobal(rebuild.callable, kUtils, "_rebuild_tensor_v3")) {
      if (reference.dtype) return *reference.dtype;
      return Invalid("an untyped storage where the element type is needed");
    }
    const PickleRef dtype = ElementAt(rebuild.arguments, 6);
    if (dtype && dtype->Is(PickleKind::kGlobal) && dtype->text == "torch") {
      if (const auto type = TorchDType(dtype->name)) return *type;
      return Fail(ErrorKind::kUnsupported, fmt::format("{}: tensor \"{}\" holds torch.{}",
                                                       archive_.path, name_, dtype->name));
    }
    return Invalid("its element type is missing");
  }

  // Flags that say that the values are not those that are stored.
  Status RefuseConjugate(const Rebuild& rebuild) const {
    const bool is_v3 = IsGlobal(rebuild.callable, kUtils, "_rebuild_tensor_v3");
    const PickleRef metadata = ElementAt(rebuild.arguments, is_v3 ? 7 : 6);
    for (const std::string_view flag : {"conj", "neg"}) {
      const PickleRef set = FindItem(metadata, flag);
      if (set && set->integer != 0) return Invalid("it is stored negated or conjugated");
    }
    return {};
  }

  Status Place(const StorageReference& reference, std::int64_t offset, StoredTensor& tensor) const {
    const auto storage = archive_.storages.find(reference.key);
    if (storage == archive_.storages.end()) {
      return Invalid(fmt::format("its storage \"{}\" is not in the file", reference.key));
    }
    const auto item = static_cast<std::uint64_t>(BitsOf(tensor.dtype)) / 8;
    const std::uint64_t unit = reference.dtype ? item : 1;
    if (reference.elements < 0 ||
        static_cast<std::uint64_t>(reference.elements) > storage->second.size / unit) {
      return Invalid(fmt::format("its storage has {} bytes, {} elements are announced",
                                 storage->second.size, reference.elements));
    }
    const std::uint64_t held = static_cast<std::uint64_t>(reference.elements) * unit / item;
    TRY(CheckInside(offset, held, tensor));
    tensor.begin = storage->second.begin + static_cast<std::uint64_t>(offset) * item;
    tensor.storage_bytes = storage->second.size;
    return {};
  }

  Status CheckInside(std::int64_t offset, std::uint64_t held, const StoredTensor& tensor) const {
    std::uint64_t elements = 1, last = 0;
    bool overflows = offset < 0;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      if (tensor.shape[i] < 0 || tensor.stride[i] < 0) return Invalid("a negative size or stride");
      std::uint64_t reach = 0;
      const auto size = static_cast<std::uint64_t>(tensor.shape[i]);
      overflows |= __builtin_mul_overflow(elements, size, &elements);
      overflows |= size > 0 && __builtin_mul_overflow(
                                   size - 1, static_cast<std::uint64_t>(tensor.stride[i]), &reach);
      overflows |= __builtin_add_overflow(last, reach, &last);
    }
    overflows |= __builtin_add_overflow(last, static_cast<std::uint64_t>(offset), &last);
    if (overflows) return Invalid("its size overflows");
    if (elements == 0) return {};
    if (last >= held) {
      return Invalid(fmt::format("it reaches element {} of a storage of {}", last, held));
    }
    if (elements > held) {
      return Invalid(fmt::format("{} elements of a storage of {}: an expanded tensor is not read",
                                 elements, held));
    }
    return {};
  }

  const TorchArchive& archive_;
  std::string_view name_;
};

class TensorCollector {
 public:
  TensorCollector(const TorchArchive& archive, std::uint64_t most_bytes)
      : archive_(archive), most_bytes_(most_bytes) {}

  Status Collect(PickleRef mapping, const std::string& prefix, int depth) {
    if (depth > kMaxNesting) {
      return Fail(ErrorKind::kInvalidData, fmt::format("{}: dictionaries nested more than {} deep",
                                                       archive_.path, kMaxNesting));
    }
    for (const auto& [key, value] : mapping->items) {
      if (!key->Is(PickleKind::kString)) continue;
      const std::string name = prefix + std::string(key->text);
      if (value->Is(PickleKind::kDict)) {
        TRY(Count());
        TRY(Collect(value, name + ".", depth + 1));
      } else if (IsTorchTensor(value)) {
        TRY(Count());
        TRY(Add(name, value));
      }
    }
    return {};
  }

  std::vector<NamedStoredTensor> Take() { return std::move(tensors_); }

 private:
  // Shared dictionaries could be walked again and again.
  Status Count() {
    if (++visited_ <= kMaxVisited) return {};
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: more than {} tensors and dictionaries",
                                                     archive_.path, kMaxVisited));
  }

  Status Add(const std::string& name, PickleRef value) {
    if (!names_.insert(name).second) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}: the tensor \"{}\" stands twice", archive_.path, name));
    }
    StoredTensor tensor = TRY(LocateTensor(archive_, value, name));
    std::uint64_t bytes = static_cast<std::uint64_t>(BitsOf(tensor.dtype)) / 8;
    for (const std::int64_t size : tensor.shape) bytes *= static_cast<std::uint64_t>(size);
    all_bytes_ += bytes;
    if (all_bytes_ > most_bytes_) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}: its tensors share their storages more than {} times over",
                              archive_.path, kMostShared));
    }
    tensors_.push_back({name, std::move(tensor)});
    return {};
  }

  static constexpr std::size_t kMaxVisited = 4'000'000;

  const TorchArchive& archive_;
  std::uint64_t most_bytes_, all_bytes_ = 0;
  std::size_t visited_ = 0;
  std::set<std::string> names_;
  std::vector<NamedStoredTensor> tensors_;
};

}  // namespace

std::optional<DType> TorchDType(std::string_view name) {
  const auto type = std::ranges::find(kTypes, name, &TypeName::dtype);
  return type == kTypes.end() ? std::nullopt : std::optional(type->type);
}

std::optional<std::vector<std::int64_t>> IntegersOf(PickleRef value) {
  if (IsGlobal(ClassOf(value), "torch", "Size")) value = ElementAt(value->arguments, 0);
  if (!value || (!value->Is(PickleKind::kTuple) && !value->Is(PickleKind::kList))) return {};
  std::vector<std::int64_t> integers;
  for (const PickleRef element : value->elements) {
    if (!element->Is(PickleKind::kInt)) return std::nullopt;
    integers.push_back(element->integer);
  }
  return integers;
}

Result<StorageReference> ParseStorageReference(PickleRef persistent, const std::string& path) {
  const auto invalid = [&](std::string_view cause) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: a storage {}", path, cause));
  };
  if (!persistent || !persistent->Is(PickleKind::kPersistent)) return invalid("is missing");
  const PickleRef fields = persistent->arguments;
  const PickleRef type = ElementAt(fields, 1), key = ElementAt(fields, 2);
  const PickleRef count = ElementAt(fields, 4), view = ElementAt(fields, 5);
  if (!IsString(ElementAt(fields, 0), "storage") || !count || !key->Is(PickleKind::kString) ||
      !type->Is(PickleKind::kGlobal) || !count->Is(PickleKind::kInt)) {
    return invalid("is referred to in a form that torch.save does not use");
  }
  if (view && !view->Is(PickleKind::kNone)) return invalid("is a view of another one");
  StorageReference reference;
  reference.key = key->text;
  reference.elements = count->integer;
  if (type->name == "UntypedStorage") return reference;
  const auto known = std::ranges::find(kTypes, type->name, &TypeName::storage);
  if (known == kTypes.end() || type->name.empty()) {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{}: a storage of type {}.{}", path, type->text, type->name));
  }
  reference.dtype = known->type;
  return reference;
}

bool IsTorchTensor(PickleRef value) { return RebuildOf(value).has_value(); }

Result<StoredTensor> LocateTensor(const TorchArchive& archive, PickleRef value,
                                  std::string_view name) {
  const std::optional<Rebuild> rebuild = RebuildOf(value);
  if (!rebuild) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: \"{}\" is no tensor", archive.path, name));
  }
  return TensorLocator(archive, name).Locate(*rebuild);
}

Result<std::vector<NamedStoredTensor>> TensorsOf(const TorchArchive& archive, PickleRef mapping,
                                                 std::uint64_t file_bytes) {
  if (!mapping || !mapping->Is(PickleKind::kDict)) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} does not hold a dictionary of tensors", archive.path),
                "save the model's state_dict()");
  }
  TensorCollector collector(archive, file_bytes * kMostShared);
  TRY(collector.Collect(mapping, "", 0));
  return collector.Take();
}

}  // namespace couplingd
