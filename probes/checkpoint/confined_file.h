// Files of a checkpoint, opened so that neither a symbolic link nor a special file leads anywhere
// else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace couplingd {

// Real paths below which content may be read.
using ReadRoots = std::vector<std::string>;

// What identifies a file's content without reading it.
struct FileStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t mtime_ns = 0;
  bool operator==(const FileStamp&) const = default;
};

struct ConfinedFile {
  FileDescriptor fd;
  std::string path;  // as it was asked for
  FileStamp stamp;   // at the moment of opening
};

// Opens a regular file for reading. Links are followed, and where they led is checked on the open
// descriptor, so that swapping a link meanwhile gains nothing: outside every root is kPermission.
// Errors name the path; one about access rights (safetensors writes its files with mode 0600) says
// whom to ask.
Result<ConfinedFile> OpenConfined(const std::string& path, const ReadRoots& roots);

// The whole content; larger than `max_bytes` is kInvalidData.
Result<std::string> ReadConfined(const ConfinedFile& file, std::size_t max_bytes = 64u << 20);

// Bytes [begin, begin + size). A file that has become shorter is kVanished and retryable.
Status ReadConfinedPart(const ConfinedFile& file, std::uint64_t begin, std::uint64_t size,
                        void* into);

// kVanished (retryable) where the file behind the descriptor, or the one at its path, is no longer
// what `stamp` says.
Status CheckUnchanged(const ConfinedFile& file);

}  // namespace couplingd
