#include "probes/tokenizer/unigram.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "probes/tokenizer/component.h"
#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

constexpr double kUnknownPenalty = 10;
constexpr int kLargestPower = 308;

// The reference's JSON reader rounds twice: a number's digits as one integer, then that by a power
// of ten. The last bit decides between cuts whose sums would be equal.
double AsTheReferenceReads(double score) {
  char text[32] = {};  // so that the exponent ends
  const auto written =
      std::to_chars(text, text + sizeof(text), score, std::chars_format::scientific);
  std::string_view rest(text, static_cast<std::size_t>(written.ptr - text));
  std::uint64_t digits = 0;
  int exponent = 0;
  bool after_point = false;
  for (; !rest.starts_with('e'); rest.remove_prefix(1)) {
    if (rest.front() == '-') continue;
    if (rest.front() == '.') {
      after_point = true;
      continue;
    }
    digits = digits * 10 + static_cast<std::uint64_t>(rest.front() - '0');
    exponent -= after_point ? 1 : 0;
  }
  exponent += std::atoi(rest.data() + 1);
  if (std::abs(exponent) > kLargestPower) return score;
  const double power = std::strtod(fmt::format("1e{}", std::abs(exponent)).c_str(), nullptr);
  const double integer = static_cast<double>(digits);
  return std::copysign(exponent < 0 ? integer / power : integer * power, score);
}

}  // namespace

Result<UnigramModel> UnigramModel::Parse(const JsonValue& json, const std::string& where) {
  UnigramModel model;
  model.byte_fallback_ = TRY(GetFlag(json, "byte_fallback", false, where));
  TRY(model.ParseVocabulary(json, where));
  const auto unknown = TRY(FindInt(json, "unk_id", where));
  const bool is_id = unknown && *unknown >= 0 && *unknown <= Vocabulary::kMaxTokenId;
  if (unknown && (!is_id || !model.vocabulary_.TextOf(static_cast<TokenId>(*unknown)))) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: unk_id {} is not in the vocabulary", where, *unknown));
  }
  if (unknown) model.unknown_id_ = static_cast<TokenId>(*unknown);
  return model;
}

Status UnigramModel::ParseVocabulary(const JsonValue& json, const std::string& where) {
  const JsonValue* list = FindMember(json, "vocab");
  if (!list || !list->IsArray()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: field \"vocab\" must be an array", where));
  }
  double lowest = 0;
  for (rapidjson::SizeType i = 0; i < list->Size(); ++i) {
    const JsonValue& entry = (*list)[i];
    const std::string place = fmt::format("{}.vocab[{}]", where, i);
    if (!entry.IsArray() || entry.Size() != 2 || !entry[0].IsString() || !entry[1].IsNumber() ||
        !std::isfinite(entry[1].GetDouble())) {
      return Fail(ErrorKind::kInvalidData, place + " must be [\"token\", score]");
    }
    const std::string_view text(entry[0].GetString(), entry[0].GetStringLength());
    TRY(vocabulary_.Add(text, i, place));
    scores_.push_back(AsTheReferenceReads(entry[1].GetDouble()));
    lowest = i == 0 ? scores_.back() : std::min(lowest, scores_.back());
    if (!text.empty()) trie_.At(text) = static_cast<TokenId>(i);
  }
  byte_tokens_ = ByteTokens(vocabulary_);
  unknown_score_ = lowest - kUnknownPenalty;
  return {};
}

Status UnigramModel::Encode(std::string_view piece, Scratch& scratch,
                            std::vector<TokenId>& ids) const {
  TRY(FindBestPath(piece, scratch.arrivals));
  std::vector<std::string_view>& stretches = scratch.stretches;
  stretches.clear();
  bool was_unknown = false;
  for (auto end = static_cast<std::int64_t>(piece.size()); end > 0;) {
    const Arrival& arrival = scratch.arrivals[end];
    const bool is_unknown = unknown_id_ && arrival.id == *unknown_id_;
    if (is_unknown && was_unknown) {
      const std::string_view after = stretches.back();
      stretches.back() = piece.substr(arrival.begin, end - arrival.begin + after.size());
    } else {
      stretches.push_back(piece.substr(arrival.begin, end - arrival.begin));
    }
    was_unknown = is_unknown;
    end = arrival.begin;
  }
  for (auto stretch = stretches.rbegin(); stretch != stretches.rend(); ++stretch) {
    TRY(AppendIds(*stretch, ids));
  }
  return {};
}

Status UnigramModel::FindBestPath(std::string_view piece, std::vector<Arrival>& arrivals) const {
  arrivals.assign(piece.size() + 1, Arrival{});
  const auto arrive = [&](std::size_t begin, std::size_t end, TokenId id, double score) {
    Arrival& best = arrivals[end];
    const double sum = arrivals[begin].score + score;
    if (best.begin < 0 || sum > best.score) {
      best = {static_cast<std::int64_t>(begin), id, sum};
    }
  };
  for (std::size_t begin = 0; begin < piece.size();) {
    std::size_t next = begin;
    NextCodePoint(piece, next);
    bool is_known = false;
    std::uint32_t node = ByteTrie::kRoot;
    for (std::size_t at = begin; at < piece.size(); ++at) {
      const auto child = trie_.Child(node, piece[at]);
      if (!child) break;
      node = *child;
      const TokenId id = trie_.NumberOf(node);
      if (id < 0) continue;
      arrive(begin, at + 1, id, scores_[id]);
      is_known = is_known || at + 1 == next;
    }
    if (!is_known) {
      if (!unknown_id_) {
        return Fail(ErrorKind::kInvalidData,
                    fmt::format("\"{}\" is not in the vocabulary, and there is no unknown token "
                                "that could stand for it",
                                piece.substr(begin, next - begin)));
      }
      arrive(begin, next, *unknown_id_, unknown_score_);
    }
    begin = next;
  }
  return {};
}

Status UnigramModel::AppendIds(std::string_view stretch, std::vector<TokenId>& ids) const {
  if (const auto id = vocabulary_.IdOf(stretch)) {
    ids.push_back(*id);
    return {};
  }
  if (byte_fallback_ && byte_tokens_.Append(stretch, ids)) return {};
  ids.push_back(*unknown_id_);
  return {};
}

}  // namespace couplingd
