#include "probes/scoring/plan_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/files.h"
#include "base/hash.h"

namespace couplingd {
namespace {

constexpr std::string_view kMagic = "CPLDPLN1";
constexpr std::string_view kExtension = ".planned";
constexpr std::size_t kHashDigits = 32;

// Numbers as this machine writes them, vectors behind their counts.
template <typename T>
void Put(std::string& bytes, const std::vector<T>& values) {
  static_assert(std::is_integral_v<T>);
  const std::uint64_t count = values.size();
  bytes.append(reinterpret_cast<const char*>(&count), sizeof count);
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <typename T>
bool Get(std::string_view& bytes, std::vector<T>& values) {
  std::uint64_t count = 0;
  if (bytes.size() < sizeof count) return false;
  std::memcpy(&count, bytes.data(), sizeof count);
  bytes.remove_prefix(sizeof count);
  if (count > bytes.size() / sizeof(T)) return false;
  values.resize(count);
  std::memcpy(values.data(), bytes.data(), count * sizeof(T));
  bytes.remove_prefix(count * sizeof(T));
  return true;
}

std::string ToBytes(const ScoringPlan& plan, const std::vector<std::int64_t>& truncated,
                    const std::string& key) {
  const ForwardPlan& forward = plan.forward;
  std::vector<std::int64_t> ends, rows;
  std::vector<std::int32_t> parents, targets;
  for (const Segment& segment : forward.segments) {
    ends.push_back(segment.end);
    parents.push_back(segment.parent);
  }
  for (const TokenRead& read : forward.reads) {
    rows.push_back(read.row);
    targets.push_back(read.target);
  }
  std::string bytes(kMagic);
  bytes += key;
  Put(bytes, forward.tokens);
  Put(bytes, ends);
  Put(bytes, parents);
  Put(bytes, rows);
  Put(bytes, targets);
  Put(bytes, plan.first_read);
  Put(bytes, plan.read_of);
  Put(bytes, std::vector<std::int64_t>{plan.naive_tokens});
  Put(bytes, truncated);
  return bytes + HashHex(bytes);
}

std::optional<KeptPlan> FromBytes(std::string_view bytes, const std::string& key) {
  if (bytes.size() < kMagic.size() + key.size() + kHashDigits) return std::nullopt;
  const std::string_view hash = bytes.substr(bytes.size() - kHashDigits);
  bytes.remove_suffix(kHashDigits);
  if (HashHex(bytes) != hash || !bytes.starts_with(std::string(kMagic) + key)) return std::nullopt;
  bytes.remove_prefix(kMagic.size() + key.size());
  KeptPlan kept;
  ForwardPlan& forward = kept.plan.forward;
  std::vector<std::int64_t> ends, rows, naive;
  std::vector<std::int32_t> parents, targets;
  const bool is_whole = Get(bytes, forward.tokens) && Get(bytes, ends) && Get(bytes, parents) &&
                        Get(bytes, rows) && Get(bytes, targets) &&
                        Get(bytes, kept.plan.first_read) && Get(bytes, kept.plan.read_of) &&
                        Get(bytes, naive) && Get(bytes, kept.truncated) && bytes.empty();
  if (!is_whole || ends.size() != parents.size() || rows.size() != targets.size() ||
      naive.size() != 1) {
    return std::nullopt;
  }
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    forward.segments.push_back({.begin = begin, .end = ends[i], .parent = parents[i]});
    begin = ends[i];
  }
  for (std::size_t i = 0; i < rows.size(); ++i) forward.reads.push_back({rows[i], targets[i]});
  kept.plan.naive_tokens = naive[0];
  return kept;
}

struct CacheFile {
  std::string path;
  std::int64_t used_at = 0;
  std::uint64_t bytes = 0;
};

void RemoveOldest(const std::string& directory) {
  std::vector<CacheFile> files;
  const auto names = ListDirectory(directory);
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    struct stat status {};
    const std::string path = JoinPath(directory, name);
    if (!name.starts_with('.') || !name.ends_with(kExtension)) continue;
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    files.push_back({path, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec,
                     static_cast<std::uint64_t>(status.st_size)});
  }
  std::ranges::sort(files, std::ranges::greater(), &CacheFile::used_at);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    bytes += files[i].bytes;
    const bool fits = i < PlanCache::kMostFiles && bytes <= PlanCache::kMostBytes;
    if (!fits) ::unlink(files[i].path.c_str());
  }
}

}  // namespace

std::optional<KeptPlan> PlanCache::Read(const PlanBounds& bounds, std::size_t packs,
                                        std::size_t requests) const {
  const Result<std::string> bytes = ReadFile(Path(), kMostBytes);
  if (!bytes) return std::nullopt;
  std::optional<KeptPlan> kept = FromBytes(*bytes, key_);
  if (!kept || kept->truncated.size() != packs) return std::nullopt;
  Result<ScoringPlan> plan = AssemblePlan(std::move(kept->plan), bounds);
  if (!plan || plan->first_read.size() != requests + 1) return std::nullopt;
  kept->plan = *std::move(plan);
  ::utimensat(AT_FDCWD, Path().c_str(), nullptr, AT_SYMLINK_NOFOLLOW);  // it was used now
  return kept;
}

// Neither synced nor told: what a crash tears is not whole, and then it is made again.
void PlanCache::Write(const ScoringPlan& plan, const std::vector<std::int64_t>& truncated) const {
  const std::string bytes = ToBytes(plan, truncated, key_);
  if (bytes.size() > kMostBytes) return;
  const std::string temporary =
      JoinPath(directory_, fmt::format(".{}-{}{}", key_, ::getpid(), kExtension));
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  const FileDescriptor file(::open(temporary.c_str(), kFlags, 0600));
  if (!file.valid()) return;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  const bool is_there = rest.empty() && ::rename(temporary.c_str(), Path().c_str()) == 0;
  if (!is_there) ::unlink(temporary.c_str());
  RemoveOldest(directory_);
}

std::string PlanCache::Path() const {
  return JoinPath(directory_, fmt::format(".{}{}", key_, kExtension));
}

}  // namespace couplingd
