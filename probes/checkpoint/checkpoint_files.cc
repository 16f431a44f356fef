#include "probes/checkpoint/checkpoint_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/hash.h"
#include "base/json.h"

namespace couplingd {
namespace {

bool StaysBelow(std::string_view name) {
  if (name.empty() || name.size() > 1024 || name.front() == '/') return false;
  if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7F; })) {
    return false;
  }
  while (!name.empty()) {
    const std::size_t slash = std::min(name.find('/'), name.size());
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    name.remove_prefix(std::min(slash + 1, name.size()));
  }
  return true;
}

}  // namespace

std::string_view ToString(Naming naming) {
  switch (naming) {
    case Naming::kHuggingFace:
      return "Hugging Face";
    case Naming::kTorchtitan:
      return "torchtitan";
    case Naming::kOlmoCore:
      return "OLMo-core";
    case Naming::kMegatron:
      return "Megatron";
    case Naming::kLitgpt:
      return "litgpt";
    case Naming::kNanotron:
    case Naming::kNanotronHalves:
      return "nanotron";
  }
  return "";
}

Result<CheckpointFiles> CheckpointFiles::In(const std::string& directory,
                                            const CheckpointOptions& options) {
  CheckpointFiles files;
  files.directory_ = directory;
  files.roots_ = options.read_roots;
  files.roots_.push_back(TRY(RealPath(directory)));
  return files;
}

std::string CheckpointFiles::PathOf(std::string_view name) const {
  return JoinPath(directory_, name);
}

Result<std::size_t> CheckpointFiles::Open(std::string_view name) {
  if (const auto known = numbers_.find(name); known != numbers_.end()) return known->second;
  if (!StaysBelow(name)) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} refers to \"{}\", which is not a file name below it", directory_,
                            ToValidUtf8(name)),
                "a checkpoint may only name its own files");
  }
  Result<ConfinedFile> file = OpenConfined(PathOf(name), roots_);
  if (!file && file.error().kind == ErrorKind::kNotFound) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} needs {}, which is not there", directory_, name),
                "it may still be written; a copy or a deletion that was stopped also looks like "
                "this",
                true);
  }
  if (!file) return std::unexpected(std::move(file).error());
  files_.push_back(*std::move(file));
  numbers_.emplace(std::string(name), files_.size() - 1);
  return files_.size() - 1;
}

void CheckpointFiles::Sign(std::size_t file, std::string header_hash, bool is_whole) {
  std::string name = files_[file].path.substr(directory_.size() + 1);
  const FileStamp& stamp = files_[file].stamp;
  signed_.insert_or_assign(name, WeightsFile{name, stamp, std::move(header_hash), is_whole});
}

Result<std::string> CheckpointFiles::ReadSigned(std::string_view name, std::size_t max_bytes) {
  const std::size_t file = TRY(Open(name));
  std::string content = TRY(ReadConfined(files_[file], max_bytes));
  Sign(file, HashHex(content), true);
  return content;
}

std::vector<WeightsFile> CheckpointFiles::TakeSigned() {
  std::vector<WeightsFile> all;
  for (auto& [name, file] : signed_) all.push_back(std::move(file));
  return all;
}

std::vector<ConfinedFile> CheckpointFiles::TakeFiles() {
  return {std::make_move_iterator(files_.begin()), std::make_move_iterator(files_.end())};
}

}  // namespace couplingd
