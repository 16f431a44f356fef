#include "history/score_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "base/files.h"
#include "base/hash.h"
#include "history/byte_codec.h"

namespace couplingd {
namespace {

constexpr std::string_view kPlanMagic = "CPLDPLAN";
constexpr std::string_view kScoresMagic = "CPLDSCOR";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHashDigits = 32;
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 20;

// The least that an element takes in the file.
constexpr std::size_t kTextBytes = 4;
constexpr std::size_t kChoiceInfoBytes = 3 * 4 + 1;
constexpr std::size_t kChoiceScoreBytes = 8 + 1;
constexpr std::size_t kItemInfoBytes = 2 * kTextBytes + 8;
constexpr std::size_t kItemScoresBytes = 8;

constexpr std::string_view kUnfinished = ".unfinished";
constexpr std::string_view kTitle = "checkpoint ";
constexpr std::size_t kLongestTitle = 8192;

struct LogHead {
  UnixMillis written_at = 0;
  std::string title;  // its first line
};

std::optional<LogHead> ReadHead(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  LogHead head{status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1'000'000, ""};
  char block[kLongestTitle];
  const ssize_t size = ::pread(file.get(), block, sizeof block, 0);
  if (size > 0) head.title.assign(block, static_cast<std::size_t>(size));
  const std::size_t end = head.title.find('\n');
  head.title.resize(end == std::string::npos ? 0 : end);
  return head;
}

bool IsHash(std::string_view text) {
  return text.size() == kHashDigits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string FileName(const std::string& directory, const std::string& hash,
                     std::string_view extension) {
  return JoinPath(directory, fmt::format("{}.{}", hash, extension));
}

Status CheckText(std::string_view field, std::string_view text) {
  if (text.size() <= kMaxTextBytes) return {};
  return Fail(ErrorKind::kInvalidData, fmt::format("{} has {} bytes, at most {} are stored", field,
                                                   text.size(), kMaxTextBytes));
}

// Closes the bytes with their hash and stores them under it. A file that is there and whole is left
// alone.
Result<std::string> Store(const std::string& directory, std::string bytes,
                          std::string_view extension) {
  const std::string hash = HashHex(bytes);
  bytes += hash;
  if (bytes.size() > kMaxFileBytes) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} bytes of scores, at most {} fit into one file", bytes.size(),
                            kMaxFileBytes),
                "split the pack");
  }
  TRY(MakeDirectories(directory));
  const std::string path = FileName(directory, hash, extension);
  const Result<std::string> stored = ReadFile(path, kMaxFileBytes);
  if (stored && *stored == bytes) {
    TRY(SyncDirectory(directory));
    return hash;
  }
  TRY(WriteFileAtomically(path, bytes));
  return hash;
}

// The whole file, with its closing hash verified.
Result<std::string> Load(const std::string& path, const std::string& hash) {
  if (!IsHash(hash)) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("\"{}\" is not the hash of a score or plan file", hash));
  }
  std::string bytes = TRY(ReadFile(path, kMaxFileBytes));
  const bool is_whole = bytes.size() > kHashDigits &&
                        std::string_view(bytes).substr(bytes.size() - kHashDigits) == hash;
  if (is_whole) bytes.resize(bytes.size() - kHashDigits);
  if (!is_whole || HashHex(bytes) != hash) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: its {} bytes are not those that its hash was taken over", path,
                            bytes.size()),
                "the file is damaged: evaluate the checkpoint again");
  }
  return bytes;
}

Status ReadHead(ByteReader& reader, std::string_view magic) {
  if (TRY(reader.Raw(magic.size())) != magic) {
    return reader.Wrong(fmt::format("it does not begin with {}", magic));
  }
  const std::uint32_t version = TRY(reader.U32());
  if (version == kVersion) return {};
  Error error =
      reader.Wrong(fmt::format("version {} is not known, only {}", version, kVersion)).error();
  error.kind = ErrorKind::kUnsupported;
  error.hint = "use the couplingd that wrote it, or a newer one";
  return std::unexpected(error);
}

Result<bool> ReadFlag(ByteReader& reader) {
  const std::uint8_t flag = TRY(reader.U8());
  if (flag > 1) return reader.Wrong(fmt::format("{} is no flag", flag));
  return flag == 1;
}

Result<ItemInfo> ReadItem(ByteReader& reader) {
  ItemInfo item;
  item.id = TRY(reader.Text());
  item.cluster = TRY(reader.Text());
  item.choices.resize(TRY(reader.Count(kChoiceInfoBytes, "choices")));
  for (ChoiceInfo& choice : item.choices) {
    choice.characters = TRY(reader.U32());
    choice.bytes = TRY(reader.U32());
    choice.tokens = TRY(reader.U32());
    choice.is_true = TRY(ReadFlag(reader));
  }
  return item;
}

Result<std::vector<ChoiceScore>> ReadChoices(ByteReader& reader) {
  std::vector<ChoiceScore> choices(TRY(reader.Count(kChoiceScoreBytes, "choices")));
  for (ChoiceScore& choice : choices) {
    choice.log_likelihood = TRY(reader.F64());
    if (std::isnan(choice.log_likelihood)) return reader.Wrong("a log-likelihood is NaN");
    choice.is_greedy = TRY(ReadFlag(reader));
  }
  return choices;
}

Status CheckScores(const TaskScores& scores, const std::string& plan_hash) {
  TRY(CheckText("the task's name", scores.task));
  if (!IsHash(plan_hash)) {
    return Fail(
        ErrorKind::kInvalidData,
        fmt::format("scores of {}: \"{}\" is not the hash of a plan file", scores.task, plan_hash));
  }
  for (std::size_t item = 0; item < scores.scores.size(); ++item) {
    for (std::size_t choice = 0; choice < scores.scores[item].size(); ++choice) {
      if (!std::isnan(scores.scores[item][choice].log_likelihood)) continue;
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("scores of {}: the log-likelihood of item {}, choice {} is NaN",
                              scores.task, item, choice),
                  "the weights are not finite or the model overflows in this dtype");
    }
  }
  return {};
}

}  // namespace

Result<std::string> WritePlanFile(const std::string& directory, const TaskPlan& plan) {
  TRY(CheckText("the task's name", plan.task));
  ByteWriter writer;
  writer.Raw(kPlanMagic);
  writer.U32(kVersion);
  writer.Text(plan.task);
  writer.U64(plan.metrics.size());
  for (const std::string& metric : plan.metrics) {
    TRY(CheckText("a metric's name", metric));
    writer.Text(metric);
  }
  writer.U64(plan.items.size());
  for (const ItemInfo& item : plan.items) {
    TRY(CheckText("an item's id", item.id));
    TRY(CheckText("an item's cluster", item.cluster));
    writer.Text(item.id);
    writer.Text(item.cluster);
    writer.U64(item.choices.size());
    for (const ChoiceInfo& choice : item.choices) {
      writer.U32(choice.characters);
      writer.U32(choice.bytes);
      writer.U32(choice.tokens);
      writer.U8(choice.is_true);
    }
  }
  return Store(directory, writer.bytes(), "plan");
}

Result<std::string> WriteScoreFile(const std::string& directory, const TaskScores& scores,
                                   const std::string& plan_hash) {
  TRY(CheckScores(scores, plan_hash));
  ByteWriter writer;
  writer.Raw(kScoresMagic);
  writer.U32(kVersion);
  writer.Text(scores.task);
  writer.Raw(plan_hash);
  writer.U64(scores.scores.size());
  for (const std::vector<ChoiceScore>& choices : scores.scores) {
    writer.U64(choices.size());
    for (const ChoiceScore& choice : choices) {
      writer.F64(choice.log_likelihood);
      writer.U8(choice.is_greedy);
    }
  }
  return Store(directory, writer.bytes(), "scores");
}

Result<TaskPlan> ReadPlanFile(const std::string& directory, const std::string& plan_hash) {
  const std::string path = FileName(directory, plan_hash, "plan");
  const std::string bytes = TRY(Load(path, plan_hash));
  ByteReader reader(bytes, path);
  TRY(ReadHead(reader, kPlanMagic));
  TaskPlan plan;
  plan.task = TRY(reader.Text());
  plan.metrics.resize(TRY(reader.Count(kTextBytes, "metrics")));
  for (std::string& metric : plan.metrics) metric = TRY(reader.Text());
  const std::size_t items = TRY(reader.Count(kItemInfoBytes, "items"));
  plan.items.reserve(items);
  for (std::size_t i = 0; i < items; ++i) plan.items.push_back(TRY(ReadItem(reader)));
  TRY(reader.VerifyEnd());
  return plan;
}

Result<TaskScores> ReadScoreFile(const std::string& directory, const std::string& scores_hash) {
  const std::string path = FileName(directory, scores_hash, "scores");
  const std::string bytes = TRY(Load(path, scores_hash));
  ByteReader reader(bytes, path);
  TRY(ReadHead(reader, kScoresMagic));
  TaskScores scores;
  scores.task = TRY(reader.Text());
  if (!IsHash(TRY(reader.Raw(kHashDigits)))) return reader.Wrong("it names no plan file");
  const std::size_t items = TRY(reader.Count(kItemScoresBytes, "items"));
  scores.scores.reserve(items);
  for (std::size_t i = 0; i < items; ++i) scores.scores.push_back(TRY(ReadChoices(reader)));
  TRY(reader.VerifyEnd());
  return scores;
}

std::string UnfinishedLogPath(const std::string& directory, const std::string& key) {
  return JoinPath(directory, fmt::format(".{}{}", key, kUnfinished));
}

std::string UnfinishedLogTitle(const std::string& checkpoint) {
  return fmt::format("{}{}", kTitle, checkpoint);
}

std::size_t RemoveUnfinishedLogs(
    const std::string& directory, UnixMillis oldest,
    const std::function<bool(const std::string& checkpoint)>& is_gone) {
  std::size_t removed = 0;
  const auto names = ListDirectory(directory);
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    if (!name.starts_with('.') || !name.ends_with(kUnfinished)) continue;
    const std::string path = JoinPath(directory, name);
    const std::optional<LogHead> head = ReadHead(path);
    if (!head) continue;
    const bool is_left = head->written_at < oldest || (head->title.starts_with(kTitle) &&
                                                       is_gone(head->title.substr(kTitle.size())));
    if (is_left && ::unlink(path.c_str()) == 0) ++removed;
  }
  return removed;
}

}  // namespace couplingd
