#include "probes/checkpoint/torch/zip_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/hash.h"
#include "base/utf8.h"

namespace couplingd {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50, kDirectoryHeader = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::uint64_t kLocalBytes = 30, kDirectoryBytes = 46;
constexpr std::uint64_t kEndBytes = 22, kEnd64Bytes = 56, kLocator64Bytes = 20;
constexpr std::uint64_t kMaxComment = 65535;
constexpr std::uint64_t kMaxDirectoryBytes = 64u << 20;
constexpr std::uint16_t kZip64Extra = 1;
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;

struct Extent {
  std::uint64_t begin = 0, end = 0;  // local header to the end of the content, within the slice
};

struct Directory {
  std::uint64_t begin = 0, size = 0, entries = 0;
};

std::uint64_t At(std::string_view bytes, std::uint64_t at, int width) {
  std::uint64_t value = 0;
  for (int i = width; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

class ZipReader {
 public:
  ZipReader(const ConfinedFile& file, FileSlice slice) : file_(file), slice_(slice) {}

  Result<ZipArchive> Read() {
    const Directory directory = TRY(FindDirectory());
    const std::string text = TRY(Bytes(directory.begin, directory.size));
    std::uint64_t at = 0;
    for (std::uint64_t i = 0; i < directory.entries; ++i) TRY(ReadEntry(text, at));
    if (at != text.size()) return Wrong("its directory holds more than the entries it counts");
    TRY(CheckOverlaps(directory.begin));
    archive_.directory_hash = HashHex(text);
    return std::move(archive_);
  }

 private:
  std::unexpected<Error> Wrong(std::string_view cause) const {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: ZIP archive: {}", file_.path, cause),
                "the file is damaged, or was not written by torch.save");
  }

  Result<std::string> Bytes(std::uint64_t begin, std::uint64_t size) const {
    if (begin > slice_.size || size > slice_.size - begin) {
      return Wrong("a record reaches beyond its end");
    }
    std::string bytes(size, '\0');
    TRY(ReadExactlyAt(file_.fd.get(), bytes.data(), size, slice_.begin + begin, file_.path));
    return bytes;
  }

  Result<Directory> FindDirectory() {
    const std::uint64_t tail = std::min(slice_.size, kEndBytes + kMaxComment);
    const std::string bytes = TRY(Bytes(slice_.size - tail, tail));
    for (std::uint64_t at = tail < kEndBytes ? 0 : tail - kEndBytes + 1; at-- > 0;) {
      if (At(bytes, at, 4) != kEnd || At(bytes, at + 20, 2) != tail - at - kEndBytes) continue;
      return ReadEnd(bytes.substr(at, kEndBytes), slice_.size - tail + at);
    }
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} is truncated: its ZIP directory, which is written last, is missing",
                            file_.path),
                "the file is still being written, or its writer was stopped", true);
  }

  Result<Directory> ReadEnd(std::string_view end, std::uint64_t end_at) {
    Directory directory{At(end, 16, 4), At(end, 12, 4), At(end, 10, 2)};
    if (At(end, 4, 2) != 0 || At(end, 6, 2) != 0) return Wrong("it is spread over several disks");
    if (At(end, 8, 2) != directory.entries) return Wrong("its two counts of entries differ");
    std::uint64_t records_at = end_at;
    if (end_at >= kLocator64Bytes) {
      const std::string locator = TRY(Bytes(end_at - kLocator64Bytes, kLocator64Bytes));
      if (At(locator, 0, 4) == kLocator64) TRY(ReadEnd64(locator, end_at, directory, records_at));
    }
    if (directory.size > kMaxDirectoryBytes) {
      return Wrong(fmt::format("its directory has {} bytes, at most {} are read", directory.size,
                               kMaxDirectoryBytes));
    }
    if (directory.begin > records_at || directory.size != records_at - directory.begin) {
      return Wrong("its directory does not end where the records after it begin");
    }
    if (directory.entries > directory.size / kDirectoryBytes) {
      return Wrong(fmt::format("it counts {} entries in a directory of {} bytes", directory.entries,
                               directory.size));
    }
    return directory;
  }

  Status ReadEnd64(std::string_view locator, std::uint64_t end_at, Directory& directory,
                   std::uint64_t& records_at) {
    records_at = At(locator, 8, 8);
    if (records_at > end_at || end_at - records_at != kEnd64Bytes + kLocator64Bytes) {
      return Wrong("its ZIP64 record is not where the locator says");
    }
    const std::string end64 = TRY(Bytes(records_at, kEnd64Bytes));
    if (At(end64, 0, 4) != kEnd64 || At(end64, 4, 8) != kEnd64Bytes - 12) {
      return Wrong("its ZIP64 record is damaged");
    }
    if (At(locator, 4, 4) != 0 || At(locator, 16, 4) > 1 || At(end64, 16, 4) != 0 ||
        At(end64, 20, 4) != 0) {
      return Wrong("it is spread over several disks");
    }
    const Directory wide{At(end64, 48, 8), At(end64, 40, 8), At(end64, 32, 8)};
    const auto agrees = [](std::uint64_t plain, std::uint64_t full, std::uint64_t in64) {
      return plain == in64 || plain == full;
    };
    if (At(end64, 24, 8) != wide.entries || !agrees(directory.entries, wide.entries, 0xFFFF) ||
        !agrees(directory.size, wide.size, kIn64) || !agrees(directory.begin, wide.begin, kIn64)) {
      return Wrong("its ZIP64 record contradicts the plain one");
    }
    directory = wide;
    return {};
  }

  Status ReadEntry(std::string_view text, std::uint64_t& at) {
    if (text.size() - at < kDirectoryBytes || At(text, at, 4) != kDirectoryHeader) {
      return Wrong("its directory holds fewer entries than it counts");
    }
    const std::string_view fixed = text.substr(at, kDirectoryBytes);
    const std::uint64_t name_size = At(fixed, 28, 2), extra_size = At(fixed, 30, 2);
    const std::uint64_t whole = kDirectoryBytes + name_size + extra_size + At(fixed, 32, 2);
    if (whole > text.size() - at) return Wrong("an entry reaches beyond the directory");
    const std::string name(text.substr(at + kDirectoryBytes, name_size));
    const std::string_view extra = text.substr(at + kDirectoryBytes + name_size, extra_size);
    at += whole;
    if (!IsValidUtf8(name)) return Wrong("an entry's name is not UTF-8");
    if ((At(fixed, 8, 2) & 0x2041) != 0) {
      return Fail(ErrorKind::kUnsupported,
                  fmt::format("{}: ZIP entry \"{}\" is encrypted", file_.path, name));
    }
    if (At(fixed, 10, 2) != 0) {
      return Fail(ErrorKind::kUnsupported,
                  fmt::format("{}: ZIP entry \"{}\" is compressed (method {}); torch.save stores "
                              "its entries as they are",
                              file_.path, name, At(fixed, 10, 2)),
                  "unpack it, or save the checkpoint with torch.save");
    }
    return Place(name, fixed, extra);
  }

  Status Place(const std::string& name, std::string_view fixed, std::string_view extra) {
    std::uint64_t packed = At(fixed, 20, 4), size = At(fixed, 24, 4), header = At(fixed, 42, 4);
    TRY(TakeWide(name, extra, {&size, &packed, &header}));
    if (packed != size) {
      return Wrong(fmt::format("entry \"{}\" is stored, but with two sizes", name));
    }
    const std::string local = TRY(Bytes(header, kLocalBytes));
    const std::uint64_t name_size = At(local, 26, 2);
    const std::uint64_t begin = header + kLocalBytes + name_size + At(local, 28, 2);
    if (At(local, 0, 4) != kLocalHeader || name_size != name.size() ||
        TRY(Bytes(header + kLocalBytes, name_size)) != name) {
      return Wrong(fmt::format("entry \"{}\" has another local header", name));
    }
    if (At(local, 8, 2) != 0) {
      return Wrong(fmt::format("entry \"{}\" is compressed by its local header", name));
    }
    if (begin > slice_.size || size > slice_.size - begin) {
      return Wrong(fmt::format("entry \"{}\" reaches beyond the archive", name));
    }
    extents_.push_back({header, begin + size});
    if (!archive_.entries.emplace(name, ZipEntry{slice_.begin + begin, size}).second) {
      return Wrong(fmt::format("the entry \"{}\" stands twice", name));
    }
    return {};
  }

  // The 64-bit values of those fields that say they have one, in the format's order.
  Status TakeWide(const std::string& name, std::string_view extra,
                  std::initializer_list<std::uint64_t*> fields) const {
    std::string_view wide;
    while (extra.size() >= 4) {
      const std::uint64_t size = At(extra, 2, 2);
      if (size > extra.size() - 4) break;
      if (At(extra, 0, 2) == kZip64Extra) {
        if (!wide.empty()) return Wrong(fmt::format("entry \"{}\" has two ZIP64 fields", name));
        wide = extra.substr(4, size);
      }
      extra.remove_prefix(4 + size);
    }
    if (!extra.empty()) return Wrong(fmt::format("entry \"{}\" has a damaged extra field", name));
    for (std::uint64_t* field : fields) {
      if (*field != kIn64) continue;
      if (wide.size() < 8) return Wrong(fmt::format("entry \"{}\" lacks its ZIP64 sizes", name));
      *field = At(wide, 0, 8);
      wide.remove_prefix(8);
    }
    return {};
  }

  Status CheckOverlaps(std::uint64_t directory_begin) {
    std::ranges::sort(extents_, {}, &Extent::begin);
    for (std::size_t i = 0; i < extents_.size(); ++i) {
      const std::uint64_t next = i + 1 < extents_.size() ? extents_[i + 1].begin : directory_begin;
      if (extents_[i].end > next) return Wrong("entries overlap");
    }
    return {};
  }

  const ConfinedFile& file_;
  FileSlice slice_;
  ZipArchive archive_;
  std::vector<Extent> extents_;
};

}  // namespace

Result<ZipArchive> ReadZipArchive(const ConfinedFile& file, FileSlice slice) {
  return ZipReader(file, slice).Read();
}

}  // namespace couplingd
