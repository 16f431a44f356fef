// The ZIP container of torch.save: a directory of stored entries at the end of the archive.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "probes/checkpoint/confined_file.h"

namespace couplingd {

// Part of a file: the whole of it, or the place of one tensor in a .distcp file.
struct FileSlice {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
};

struct ZipEntry {
  std::uint64_t begin = 0;  // of its bytes, from the start of the file
  std::uint64_t size = 0;
};

struct ZipArchive {
  std::map<std::string, ZipEntry, std::less<>> entries;
  std::string directory_hash;  // XXH3-128 over the central directory, which holds every CRC
};

// Reads the central directory and every local header, and no content. Refused (kInvalidData): an
// entry name that stands twice, entries that overlap each other or the directory or reach beyond
// it, local headers that disagree with the directory, counts and sizes that disagree, ZIP64 records
// that contradict the plain ones, several disks. kUnsupported: compressed or encrypted entries.
// `retryable` is set where the end-of-directory record is not there: it is written last.
Result<ZipArchive> ReadZipArchive(const ConfinedFile& file, FileSlice slice);

}  // namespace couplingd
