#include "probes/checkpoint/torch/legacy_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/hash.h"
#include "probes/checkpoint/torch/storage_reference.h"

namespace couplingd {
namespace {

constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::int64_t kProtocol = 1001;
constexpr std::uint64_t kFirstWindow = 1u << 20, kLargestWindow = 256u << 20;
constexpr std::uint64_t kLengthBytes = 8;

class LegacyReader {
 public:
  LegacyReader(const ConfinedFile& file, FileSlice slice) : file_(file), slice_(slice) {}

  Result<TorchArchive> Read() {
    TRY(Widen(kFirstWindow));
    const PickleDocument magic = TRY(Next());
    if (!magic.root()->Is(PickleKind::kLong) || !magic.root()->text.starts_with(kMagic)) {
      return Invalid("it begins with a pickle that is not torch.save's");
    }
    if (TRY(Next()).root()->integer != kProtocol) {
      return Invalid("its protocol is not 1001");
    }
    const PickleDocument system = TRY(Next());
    const PickleRef little = FindItem(system.root(), "little_endian");
    if (!little || !little->Is(PickleKind::kBool)) return Invalid("it does not say its byte order");
    if (little->integer == 0) {
      return Fail(ErrorKind::kUnsupported,
                  fmt::format("{} was written on a big-endian machine", file_.path));
    }
    archive_.object = TRY(Next());
    const PickleDocument keys = TRY(Next());
    archive_.header_hash = HashHex(std::string_view(*window_).substr(0, at_));
    TRY(PlaceStorages(keys.root()));
    archive_.path = file_.path;
    return std::move(archive_);
  }

 private:
  std::unexpected<Error> Invalid(std::string_view cause) const {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", file_.path, cause),
                "the file is damaged, or was not written by torch.save");
  }

  std::unexpected<Error> Truncated(std::string_view cause) const {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} is truncated: {}", file_.path, cause),
                "the file is still being written, or its writer was stopped", true);
  }

  Status Widen(std::uint64_t size) {
    std::string bytes(std::min(size, slice_.size), '\0');
    TRY(ReadExactlyAt(file_.fd.get(), bytes.data(), bytes.size(), slice_.begin, file_.path));
    window_ = std::make_shared<const std::string>(std::move(bytes));
    return {};
  }

  // Pickles do not say how long they are: one that seems to end too early is read again from a
  // larger window.
  Result<PickleDocument> Next() {
    while (true) {
      Result<PickleDocument> next = ParsePickle(window_, at_, file_.path);
      const bool may_go_on = window_->size() < slice_.size && window_->size() < kLargestWindow;
      if (next || !next.error().retryable || !may_go_on) {
        if (next) at_ = next->end();
        return next;
      }
      TRY(Widen(window_->size() * 4));
    }
  }

  Status PlaceStorages(PickleRef keys) {
    std::map<std::string, std::uint64_t, std::less<>> expected;
    for (const PickleRef persistent : archive_.object.persistent()) {
      const StorageReference reference = TRY(ParseStorageReference(persistent, file_.path));
      const std::uint64_t item = reference.dtype ? BitsOf(*reference.dtype) / 8 : 1;
      expected.insert_or_assign(reference.key, item);
    }
    std::uint64_t at = at_;
    for (const PickleRef key : keys->elements) {
      const auto item = key->Is(PickleKind::kString) ? expected.find(key->text) : expected.end();
      if (item == expected.end()) return Invalid("a storage that no tensor refers to");
      if (slice_.size - at < kLengthBytes) return Truncated("a storage is missing");
      unsigned char length[kLengthBytes];
      TRY(ReadExactlyAt(file_.fd.get(), length, kLengthBytes, slice_.begin + at, file_.path));
      std::uint64_t elements = 0;
      for (std::size_t i = kLengthBytes; i-- > 0;) elements = elements << 8 | length[i];
      at += kLengthBytes;
      if (elements > (slice_.size - at) / item->second) {
        return Truncated(fmt::format("storage {} has fewer bytes than it announces", key->text));
      }
      const std::uint64_t bytes = elements * item->second;
      if (!archive_.storages.emplace(key->text, ZipEntry{slice_.begin + at, bytes}).second) {
        return Invalid(fmt::format("storage {} stands twice", key->text));
      }
      at += bytes;
    }
    if (at != slice_.size) {
      return Invalid(fmt::format("{} bytes follow the last storage", slice_.size - at));
    }
    return {};
  }

  const ConfinedFile& file_;
  FileSlice slice_;
  std::shared_ptr<const std::string> window_;
  std::size_t at_ = 0;
  TorchArchive archive_;
};

}  // namespace

Result<TorchArchive> OpenLegacyArchive(const ConfinedFile& file, FileSlice slice) {
  return LegacyReader(file, slice).Read();
}

}  // namespace couplingd
