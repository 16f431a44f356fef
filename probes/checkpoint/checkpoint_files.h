// The files of one checkpoint, opened once each.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/checkpoint_weights.h"
#include "probes/checkpoint/confined_file.h"

namespace couplingd {

class CheckpointFiles {
 public:
  // `directory` is resolved and always allowed.
  static Result<CheckpointFiles> In(const std::string& directory, const CheckpointOptions& options);

  // Opens a file below the directory ("model/weight.pt"), or gives the number that it got before.
  // kInvalidData for a name that could lead elsewhere (empty, absolute, "..", control characters).
  // A file that is not there is kInvalidData and retryable: it may still come.
  Result<std::size_t> Open(std::string_view name);

  std::size_t count() const { return files_.size(); }
  const ConfinedFile& at(std::size_t file) const { return files_[file]; }
  const std::string& directory() const { return directory_; }
  std::string PathOf(std::string_view name) const;

  // The file counts for the checkpoint's signature, with the hash of what describes its tensors.
  void Sign(std::size_t file, std::string header_hash, bool is_whole = false);
  // The content of a small file, which is signed by it.
  Result<std::string> ReadSigned(std::string_view name, std::size_t max_bytes);

  std::vector<WeightsFile> TakeSigned();  // sorted by name
  std::vector<ConfinedFile> TakeFiles();  // by number

 private:
  std::string directory_;
  ReadRoots roots_;
  std::deque<ConfinedFile> files_;
  std::map<std::string, std::size_t, std::less<>> numbers_;
  std::map<std::string, WeightsFile> signed_;
};

}  // namespace couplingd
