#include "probes/checkpoint/torch/torch_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/hash.h"
#include "probes/checkpoint/torch/legacy_archive.h"

namespace couplingd {
namespace {

constexpr std::uint64_t kMaxPickleBytes = 256u << 20;
constexpr std::string_view kPickleName = "data.pkl";

std::unexpected<Error> Invalid(const std::string& path, std::string_view cause) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", path, cause),
              "the file is damaged, or was not written by torch.save");
}

// The folder that all of torch.save's entries lie in: "archive/", or the file's stem.
Result<std::string> FolderOf(const ZipArchive& zip, const std::string& path) {
  std::optional<std::string> folder;
  for (const auto& [name, entry] : zip.entries) {
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos || name.substr(slash + 1) != kPickleName) continue;
    if (folder) return Invalid(path, "the archive holds two objects");
    folder = name.substr(0, slash + 1);
  }
  if (!folder) return Invalid(path, "a ZIP archive without data.pkl is not one of torch.save");
  if (zip.entries.contains(*folder + "constants.pkl")) {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{} is a TorchScript archive, whose code is not run", path),
                "save the state dictionary with torch.save");
  }
  return *folder;
}

Result<std::string> ContentOf(const ConfinedFile& file, const ZipEntry& entry,
                              std::uint64_t max_bytes, std::string_view name) {
  if (entry.size > max_bytes) {
    return Invalid(file.path, fmt::format("{} has {} bytes, at most {} are read", name, entry.size,
                                          max_bytes));
  }
  std::string content(entry.size, '\0');
  TRY(ReadExactlyAt(file.fd.get(), content.data(), content.size(), entry.begin, file.path));
  return content;
}

Status CheckByteOrder(const ConfinedFile& file, const ZipArchive& zip, const std::string& folder) {
  const auto entry = zip.entries.find(folder + "byteorder");
  if (entry == zip.entries.end()) return {};  // before torch 2.1: little
  const std::string order = TRY(ContentOf(file, entry->second, 16, "byteorder"));
  if (order == "little") return {};
  if (order == "big") {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("{} was written on a big-endian machine", file.path),
                "load and save it again on a little-endian one");
  }
  return Invalid(file.path, "its byteorder is neither little nor big");
}

Result<TorchArchive> OpenZip(const ConfinedFile& file, FileSlice slice) {
  const ZipArchive zip = TRY(ReadZipArchive(file, slice));
  const std::string folder = TRY(FolderOf(zip, file.path));
  TRY(CheckByteOrder(file, zip, folder));
  const ZipEntry& entry = zip.entries.find(folder + std::string(kPickleName))->second;
  auto text = std::make_shared<const std::string>(
      TRY(ContentOf(file, entry, kMaxPickleBytes, kPickleName)));
  TorchArchive archive;
  archive.path = file.path;
  archive.header_hash = HashHex(zip.directory_hash + HashHex(*text));
  Result<PickleDocument> object = ParsePickle(text, 0, file.path);
  if (!object) {
    object.error().retryable = false;  // the directory came after it
    return std::unexpected(std::move(object).error());
  }
  if (object->end() != text->size()) return Invalid(file.path, "data.pkl holds two pickles");
  archive.object = *std::move(object);
  const std::string data = folder + "data/";
  for (const auto& [name, at] : zip.entries) {
    if (name.starts_with(data)) archive.storages.emplace(name.substr(data.size()), at);
  }
  return archive;
}

}  // namespace

Result<TorchArchive> OpenTorchArchive(const ConfinedFile& file, std::optional<FileSlice> part) {
  const FileSlice slice = part.value_or(FileSlice{0, file.stamp.size});
  if (slice.begin > file.stamp.size || slice.size > file.stamp.size - slice.begin) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} is truncated: {} bytes, {} are needed", file.path, file.stamp.size,
                            slice.begin + slice.size),
                "the file is still being written, or its writer was stopped", true);
  }
  std::string start(std::min<std::uint64_t>(slice.size, 8), '\0');
  TRY(ReadExactlyAt(file.fd.get(), start.data(), start.size(), slice.begin, file.path));
  if (start.size() < 4) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} is truncated: it has {} bytes", file.path, start.size()),
                "the file is still being written, or its writer was stopped", true);
  }
  if (start.starts_with("PK\x03\x04")) return OpenZip(file, slice);
  if (start.starts_with("\x80\x02")) return OpenLegacyArchive(file, slice);
  if (start == std::string(8, '\0')) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} begins with zeros", file.path),
                "the file is still being written, or its writer was stopped", true);
  }
  if (start.starts_with("version ")) {
    return Invalid(file.path, "it is a Git LFS pointer; fetch the file itself");
  }
  return Invalid(file.path, "it is neither a ZIP archive nor a pickle, as torch.save writes");
}

}  // namespace couplingd
