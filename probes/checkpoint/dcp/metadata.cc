#include "probes/checkpoint/dcp/metadata.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "probes/checkpoint/pickle/pickle.h"
#include "probes/checkpoint/torch/torch_archive.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxChunks = 65536;
constexpr std::size_t kMaxChunksThatShareARow = 4096;

using Sizes = std::vector<std::int64_t>;
using PlaceKey = std::pair<std::string_view, std::optional<Sizes>>;

bool IsOfClass(PickleRef object, std::string_view name) {
  const PickleRef type = ClassOf(object);
  return type && type->Is(PickleKind::kGlobal) && type->name == name;
}

class MetadataReader {
 public:
  MetadataReader(const std::string& path, bool (*wanted)(std::string_view))
      : path_(path), wanted_(wanted) {}

  Result<DcpMetadata> Read(PickleRef root) {
    const PickleRef entries = FindAttribute(root, "state_dict_metadata");
    const PickleRef places = FindAttribute(root, "storage_data");
    if (!IsOfClass(root, "Metadata") || !entries || !places) {
      return Invalid("it is not the metadata of a Distributed Checkpoint");
    }
    TRY(IndexPlaces(places));
    for (const auto& [name, entry] : entries->items) {
      if (!name->Is(PickleKind::kString)) return Invalid("an entry whose name is no string");
      if (!wanted_(name->text)) continue;
      if (IsOfClass(entry, "TensorStorageMetadata")) {
        metadata_.tensors.push_back(TRY(ReadTensor(name->text, entry)));
      } else if (IsOfClass(entry, "BytesStorageMetadata")) {
        DcpPlace place = TRY(PlaceOf(name->text, std::nullopt));
        metadata_.objects.push_back({std::string(name->text), std::move(place)});
      } else {
        return Invalid(fmt::format("the entry \"{}\" is of an unknown kind", name->text));
      }
    }
    std::ranges::sort(metadata_.tensors, {}, &DcpTensor::name);
    std::ranges::sort(metadata_.objects, {}, &DcpObject::name);
    return std::move(metadata_);
  }

 private:
  std::unexpected<Error> Invalid(std::string_view cause) const {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", path_, cause),
                "the file is damaged, or of a release that writes it in another way");
  }

  Status IndexPlaces(PickleRef places) {
    for (const auto& [index, info] : places->items) {
      const PickleRef name = FindAttribute(index, "fqn");
      if (!IsOfClass(index, "MetadataIndex") || !name || !name->Is(PickleKind::kString)) {
        return Invalid("a place without the name of its tensor");
      }
      if (!wanted_(name->text)) continue;
      const PickleRef offset = FindAttribute(index, "offset");
      const bool has_offset = offset && !offset->Is(PickleKind::kNone);
      if (!places_
               .emplace(PlaceKey{name->text, has_offset ? IntegersOf(offset) : std::nullopt}, info)
               .second) {
        return Invalid(fmt::format("\"{}\" has two places for one part", name->text));
      }
    }
    return {};
  }

  Result<DcpPlace> PlaceOf(std::string_view name, const std::optional<Sizes>& offsets) const {
    const auto found = places_.find({name, offsets});
    if (found == places_.end()) {
      return Invalid(fmt::format("\"{}\" has no place for its part at [{}]", name,
                                 fmt::join(offsets.value_or(Sizes()), ", ")));
    }
    const PickleRef file = FindAttribute(found->second, "relative_path");
    const PickleRef begin = FindAttribute(found->second, "offset");
    const PickleRef size = FindAttribute(found->second, "length");
    if (!IsOfClass(found->second, "_StorageInfo") || !file || !begin || !size ||
        !file->Is(PickleKind::kString) || begin->integer < 0 || size->integer < 0 ||
        !begin->Is(PickleKind::kInt) || !size->Is(PickleKind::kInt)) {
      return Invalid(fmt::format("the place of \"{}\" is not one of a file", name));
    }
    const PickleRef transforms = FindAttribute(found->second, "transform_descriptors");
    if (transforms && !transforms->elements.empty()) {
      return Fail(ErrorKind::kUnsupported,
                  fmt::format("{}: \"{}\" was transformed (compressed or encrypted) when it was "
                              "written",
                              path_, name),
                  "save the checkpoint without extensions");
    }
    return DcpPlace{std::string(file->text), static_cast<std::uint64_t>(begin->integer),
                    static_cast<std::uint64_t>(size->integer)};
  }

  // The state of TensorProperties is a tuple in some releases and a dictionary in others.
  Result<DType> DTypeOf(std::string_view name, PickleRef entry) const {
    const PickleRef properties = FindAttribute(entry, "properties");
    PickleRef dtype = FindAttribute(properties, "dtype");
    if (!dtype && properties) dtype = ElementAt(properties->state, 0);
    if (!dtype || !dtype->Is(PickleKind::kGlobal) || dtype->text != "torch") {
      return Invalid(fmt::format("tensor \"{}\" has no element type", name));
    }
    if (const auto known = TorchDType(dtype->name)) return *known;
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{}: tensor \"{}\" holds torch.{}", path_, name, dtype->name));
  }

  Result<DcpTensor> ReadTensor(std::string_view name, PickleRef entry) const {
    DcpTensor tensor;
    tensor.name = name;
    tensor.dtype = TRY(DTypeOf(name, entry));
    const auto shape = IntegersOf(FindAttribute(entry, "size"));
    const PickleRef chunks = FindAttribute(entry, "chunks");
    if (!shape || !chunks || chunks->elements.empty()) {
      return Invalid(fmt::format("tensor \"{}\" has no shape or no parts", name));
    }
    if (chunks->elements.size() > kMaxChunks) {
      return Invalid(fmt::format("tensor \"{}\" has {} parts, at most {} are read", name,
                                 chunks->elements.size(), kMaxChunks));
    }
    tensor.shape = *shape;
    TRY(VolumeOf(name, tensor.shape));
    for (const PickleRef part : chunks->elements) {
      DcpChunk chunk;
      const auto offsets = IntegersOf(FindAttribute(part, "offsets"));
      const auto sizes = IntegersOf(FindAttribute(part, "sizes"));
      if (!offsets || !sizes) return Invalid(fmt::format("a part of \"{}\" is damaged", name));
      chunk.offsets = *offsets;
      chunk.sizes = *sizes;
      const bool whole_only =
          chunks->elements.size() == 1 && !places_.contains({name, chunk.offsets});
      chunk.place = TRY(PlaceOf(name, whole_only ? std::nullopt : std::optional(chunk.offsets)));
      tensor.chunks.push_back(std::move(chunk));
    }
    TRY(CheckTiling(tensor));
    return tensor;
  }

  Result<std::int64_t> VolumeOf(std::string_view name, const Sizes& shape) const {
    std::int64_t volume = 8;  // bytes of the largest element
    for (const std::int64_t size : shape) {
      if (size < 0 || __builtin_mul_overflow(volume, size, &volume)) {
        return Invalid(
            fmt::format("the shape [{}] of \"{}\" is impossible", fmt::join(shape, ", "), name));
      }
    }
    return volume / 8;
  }

  Status CheckTiling(const DcpTensor& tensor) const {
    std::int64_t covered = 0;
    for (const DcpChunk& chunk : tensor.chunks) {
      const std::size_t rank = tensor.shape.size();
      bool inside = chunk.offsets.size() == rank && chunk.sizes.size() == rank;
      for (std::size_t i = 0; inside && i < rank; ++i) {
        inside = chunk.offsets[i] >= 0 && chunk.sizes[i] >= 0 &&
                 chunk.offsets[i] <= tensor.shape[i] &&
                 chunk.sizes[i] <= tensor.shape[i] - chunk.offsets[i];
      }
      if (!inside) {
        return Invalid(fmt::format("a part of \"{}\" at [{}] of size [{}] leaves its shape [{}]",
                                   tensor.name, fmt::join(chunk.offsets, ", "),
                                   fmt::join(chunk.sizes, ", "), fmt::join(tensor.shape, ", ")));
      }
      covered += TRY(VolumeOf(tensor.name, chunk.sizes));
    }
    TRY(RefuseOverlaps(tensor));
    const std::int64_t whole = TRY(VolumeOf(tensor.name, tensor.shape));
    if (covered == whole) return {};
    return Invalid(
        fmt::format("the parts of \"{}\" hold {} of its {} elements", tensor.name, covered, whole));
  }

  // Parts sorted by their first row are compared with those that begin before they end.
  Status RefuseOverlaps(const DcpTensor& tensor) const {
    std::vector<const DcpChunk*> parts;
    for (const DcpChunk& chunk : tensor.chunks) {
      if (std::ranges::find(chunk.sizes, 0) == chunk.sizes.end()) parts.push_back(&chunk);
    }
    std::ranges::sort(
        parts, {}, [](const DcpChunk* chunk) -> auto& { return chunk->offsets; });
    for (std::size_t i = 0; i < parts.size(); ++i) {
      for (std::size_t k = i + 1; k < parts.size(); ++k) {
        const bool apart_in_rows =
            !tensor.shape.empty() &&
            parts[k]->offsets[0] >= parts[i]->offsets[0] + parts[i]->sizes[0];
        if (apart_in_rows) break;
        if (Overlap(*parts[i], *parts[k])) {
          return Invalid(fmt::format("two parts of \"{}\" overlap", tensor.name));
        }
        if (k - i > kMaxChunksThatShareARow) {
          return Invalid(fmt::format("\"{}\" has too many parts beside each other", tensor.name));
        }
      }
    }
    return {};
  }

  static bool Overlap(const DcpChunk& a, const DcpChunk& b) {
    for (std::size_t i = 0; i < a.offsets.size(); ++i) {
      if (a.offsets[i] + a.sizes[i] <= b.offsets[i] || b.offsets[i] + b.sizes[i] <= a.offsets[i]) {
        return false;
      }
    }
    return true;
  }

  const std::string& path_;
  bool (*wanted_)(std::string_view);
  std::map<PlaceKey, PickleRef> places_;
  DcpMetadata metadata_;
};

}  // namespace

const DcpTensor* DcpMetadata::FindTensor(std::string_view name) const {
  const auto found = std::ranges::lower_bound(
      tensors, name, {}, [](const DcpTensor& t) { return std::string_view(t.name); });
  return found != tensors.end() && found->name == name ? &*found : nullptr;
}

const DcpObject* DcpMetadata::FindObject(std::string_view name) const {
  const auto found = std::ranges::lower_bound(
      objects, name, {}, [](const DcpObject& o) { return std::string_view(o.name); });
  return found != objects.end() && found->name == name ? &*found : nullptr;
}

Result<DcpMetadata> ParseDcpMetadata(std::shared_ptr<const std::string> text,
                                     const std::string& path, bool (*wanted)(std::string_view)) {
  const PickleDocument document = TRY(ParsePickle(std::move(text), 0, path));
  return MetadataReader(path, wanted).Read(document.root());
}

}  // namespace couplingd
