#include "daemon/scanner.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <tuple>

#include "base/files.h"
#include "base/hash.h"
#include "records/checkpoint_names.h"

namespace couplingd {
namespace {

constexpr int kMaxFileDepth = 12;  // below a checkpoint; nanotron nests as its modules do

UnixMillis ModifiedAt(const struct stat& status) {
  return status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
}

void Mix(const std::string& file, const struct stat& status, StreamHash& hash,
         UnixMillis& written_at) {
  hash.Update(fmt::format("{}:{}:{}:{}.{:09};", file, status.st_ino, status.st_size,
                          status.st_mtim.tv_sec, status.st_mtim.tv_nsec));
  written_at = std::max(written_at, ModifiedAt(status));
}

// Mixes every file below `path` into the hash. Files that vanish meanwhile count as changes of
// their own.
Status Fingerprint(const std::string& path, int depth, StreamHash& hash, UnixMillis& written_at) {
  for (const std::string& name : TRY(ListDirectory(path))) {
    const std::string file = JoinPath(path, name);
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) {
      hash.Update(fmt::format("{}:errno {};", file, errno));
      continue;
    }
    if (S_ISDIR(status.st_mode)) {
      if (depth < kMaxFileDepth && !IsIgnoredName(name)) {
        TRY(Fingerprint(file, depth + 1, hash, written_at));
      }
      continue;
    }
    Mix(file, status, hash, written_at);
  }
  return {};
}

// A directory that holds one of these is a model directory.
bool IsModelFileName(std::string_view name) {
  return name == "config.json" || name.ends_with(".safetensors") ||
         name.ends_with(".safetensors.index.json") ||
         (name.starts_with("pytorch_model") && name.ends_with(".bin"));
}

// A directory, or one of the files that are checkpoints themselves.
bool IsCheckpointNode(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return false;
  return S_ISDIR(status.st_mode) ||
         (S_ISREG(status.st_mode) && IsFileCheckpointName(BaseName(path)));
}

// Bare numbers name many folders; only those with nanotron's file are checkpoints.
bool IsNanotron(const std::string& path) {
  return ::access(JoinPath(path, "checkpoint_metadata.json").c_str(), F_OK) == 0;
}

struct Named {
  std::int64_t step;
  std::string path;
};

// The checkpoint directories of the run, by rising step. Links are followed once and must stay
// below the root.
std::vector<Named> CheckpointDirectories(const ScanOptions& options,
                                         const std::vector<std::string>& names) {
  std::vector<Named> found;
  for (const std::string& name : names) {
    const std::optional<std::int64_t> step = StepOfFolder(name);
    if (!step || IsIgnoredName(name)) continue;
    const Result<std::string> path = RealPath(JoinPath(options.root, name));
    if (!path || !IsCheckpointNode(*path)) continue;
    if (!StepOfName(name) && !IsNanotron(*path)) continue;
    if (!options.follow_symlinks && !IsWithin(*path, options.root)) continue;
    found.push_back({*step, *path});
  }
  std::sort(found.begin(), found.end(), [](const Named& a, const Named& b) {
    return std::tie(a.step, a.path) < std::tie(b.step, b.path);
  });
  found.erase(std::unique(found.begin(), found.end(),
                          [](const Named& a, const Named& b) { return a.path == b.path; }),
              found.end());
  return found;
}

}  // namespace

Result<Candidate> LookAt(const std::string& path) {
  Candidate candidate;
  candidate.path = TRY(RealPath(path));
  const std::optional<std::int64_t> step = StepOfFolder(BaseName(candidate.path));
  candidate.step = step.value_or(0);
  candidate.step_from_name = step.has_value();
  StreamHash hash;
  if (IsFileCheckpointName(BaseName(candidate.path))) {
    struct stat status {};
    if (::stat(candidate.path.c_str(), &status) != 0) {
      return std::unexpected(ErrnoError(errno, "stat", candidate.path));
    }
    Mix(candidate.path, status, hash, candidate.written_at);
  } else {
    TRY(Fingerprint(candidate.path, 0, hash, candidate.written_at));
  }
  candidate.fingerprint = hash.Hex();
  return candidate;
}

Result<ScanResult> ScanRun(const ScanOptions& given) {
  ScanOptions options = given;
  options.root = TRY(RealPath(given.root));
  const std::vector<std::string> names = TRY(ListDirectory(options.root));
  std::vector<Named> directories = CheckpointDirectories(options, names);
  if (directories.empty() && std::any_of(names.begin(), names.end(), IsModelFileName)) {
    directories.push_back({StepOfFolder(BaseName(options.root)).value_or(0), options.root});
  }
  ScanResult result;
  for (std::size_t i = 0; i < directories.size(); ++i) {
    const std::string& path = directories[i].path;
    result.present.insert(path);
    const bool is_newest = options.newest == 0 || i + options.newest >= directories.size();
    if (!is_newest && !options.always.contains(path)) continue;
    Result<Candidate> candidate = LookAt(path);
    if (candidate) {
      result.candidates.push_back(*std::move(candidate));
    } else if (candidate.error().kind == ErrorKind::kNotFound) {
      result.present.erase(path);
    } else {
      Candidate unreadable;
      unreadable.path = path;
      unreadable.step = directories[i].step;
      unreadable.step_from_name = true;
      unreadable.fingerprint = "unreadable: " + candidate.error().message;
      result.candidates.push_back(std::move(unreadable));
    }
  }
  return result;
}

bool IsNetworkFileSystem(const std::string& path) {
  struct statfs status {};
  if (::statfs(path.c_str(), &status) != 0) return false;
  constexpr std::array<std::uint32_t, 8> kNetwork = {
      0x6969,      // NFS
      0x0BD00BD0,  // Lustre
      0xFF534D42,  // CIFS
      0xFE534D42,  // SMB2
      0x65735546,  // FUSE
      0x47504653,  // GPFS
      0x00C36400,  // Ceph
      0x01021997,  // 9P
  };
  return std::find(kNetwork.begin(), kNetwork.end(), static_cast<std::uint32_t>(status.f_type)) !=
         kNetwork.end();
}

}  // namespace couplingd
