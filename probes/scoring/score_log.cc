#include "probes/scoring/score_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/files.h"
#include "base/hash.h"

namespace couplingd {
namespace {

constexpr std::size_t kMostBytes = std::size_t{4} << 30;
constexpr std::size_t kDigits = 9;  // of one score: eight of the bits of a float, one flag

std::string LineOf(const ForwardPack& pack, std::size_t index, std::span<const TokenScore> scores) {
  std::string digits;
  for (std::int64_t i = pack.read_begin; i < pack.read_end; ++i) {
    const TokenScore& score = scores[static_cast<std::size_t>(i)];
    digits += fmt::format("{:08x}{:d}", std::bit_cast<std::uint32_t>(score.log_probability),
                          score.is_argmax);
  }
  std::string line = fmt::format("{} {}", index, digits);
  line += " " + HashHex(line);
  return line;
}

std::optional<TokenScore> ParseScore(std::string_view digits) {
  std::uint32_t bits = 0;
  const char* end = digits.data() + kDigits - 1;
  const auto [at, error] = std::from_chars(digits.data(), end, bits, 16);
  if (error != std::errc() || at != end || (*end != '0' && *end != '1')) return std::nullopt;
  return TokenScore{std::bit_cast<float>(bits), *end == '1'};
}

// Whether the line is that pack's and whole; then its scores are in place.
bool TakeLine(std::string_view line, const ForwardPack& pack, std::size_t index,
              std::span<TokenScore> scores) {
  const std::size_t hash_at = line.rfind(' ');
  if (hash_at == std::string_view::npos) return false;
  const std::string_view content = line.substr(0, hash_at);
  if (HashHex(content) != line.substr(hash_at + 1)) return false;
  const std::string prefix = fmt::format("{} ", index);
  if (!content.starts_with(prefix)) return false;
  const std::string_view digits = content.substr(prefix.size());
  const auto first = static_cast<std::size_t>(pack.read_begin);
  const std::size_t count = static_cast<std::size_t>(pack.read_end) - first;
  if (digits.size() != count * kDigits) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const auto score = ParseScore(digits.substr(i * kDigits, kDigits));
    if (!score) return false;
    scores[first + i] = *score;
  }
  return true;
}

template <typename T>
void Hash(StreamHash& hash, const std::vector<T>& values) {
  static_assert(std::has_unique_object_representations_v<T>);
  const std::uint64_t count = values.size();
  hash.Update(&count, sizeof(count));
  hash.Update(values.data(), values.size() * sizeof(T));
}

}  // namespace

std::string HashOf(const ForwardPlan& plan) {
  StreamHash hash;
  Hash(hash, plan.tokens);
  std::vector<std::int64_t> numbers;  // without the padding of the structs
  for (const Segment& s : plan.segments) {
    numbers.insert(numbers.end(), {s.begin, s.end, s.parent, s.position, s.last_pack});
  }
  Hash(hash, numbers);
  numbers.clear();
  for (const ForwardPack& p : plan.packs) {
    numbers.insert(numbers.end(), {p.segment_begin, p.segment_end, p.token_begin, p.token_end,
                                   p.read_begin, p.read_end});
  }
  Hash(hash, numbers);
  numbers.clear();
  for (const TokenRead& read : plan.reads) numbers.insert(numbers.end(), {read.row, read.target});
  Hash(hash, numbers);
  return hash.Hex();
}

std::size_t ScoreLog::Restore(const ForwardPlan& plan, std::span<TokenScore> scores) const {
  const Result<std::string> text = ReadFile(path_, kMostBytes);
  if (!text) return 0;
  std::size_t done = 0;
  std::string_view rest = *text;
  while (!rest.empty() && done < plan.packs.size()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    // The title, and what a crash has torn, which stands between whole lines: that pack was scored
    // again.
    if (TakeLine(rest.substr(0, end), plan.packs[done], done, scores)) ++done;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return done;
}

Status ScoreLog::Add(const ForwardPlan& plan, std::size_t pack,
                     std::span<const TokenScore> scores) const {
  if (::access(path_.c_str(), F_OK) != 0) TRY(AppendLine(path_, title_));
  return AppendLine(path_, LineOf(plan.packs[pack], pack, scores));
}

void ScoreLog::Remove() const { ::unlink(path_.c_str()); }

}  // namespace couplingd
