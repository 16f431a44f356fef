// Reading a BPE model: what is checked here, bpe.cc relies on.
#include <fmt/format.h>

#include "probes/tokenizer/bpe.h"
#include "probes/tokenizer/component.h"
#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxMerges = 4'000'000;
// Characters below this code point are looked up in an array.
constexpr std::size_t kIndexedCharacters = 0x3100;

std::string_view TextOfJson(const JsonValue& value) {
  return {value.GetString(), value.GetStringLength()};
}

std::unexpected<Error> BadMerge(const std::string& where, std::size_t index, std::string_view why) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}.merges[{}]: {}", where, index, why));
}

struct MergeText {
  std::string_view left;
  std::string_view right;
};

// "a b", or ["a", "b"] which newer files write.
Result<MergeText> SplitMerge(const JsonValue& merge, std::size_t index, const std::string& where) {
  if (merge.IsArray() && merge.Size() == 2 && merge[0].IsString() && merge[1].IsString()) {
    return MergeText{TextOfJson(merge[0]), TextOfJson(merge[1])};
  }
  if (!merge.IsString()) return BadMerge(where, index, "must be \"a b\" or [\"a\", \"b\"]");
  const std::string_view text = TextOfJson(merge);
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
    return BadMerge(where, index, "must have exactly one blank between two tokens");
  }
  return MergeText{text.substr(0, space), text.substr(space + 1)};
}

// True for the line "#version: 0.2" that merges.txt files start with.
bool IsVersionLine(const JsonValue& merge) {
  return merge.IsString() && TextOfJson(merge).starts_with("#version");
}

}  // namespace

Result<BpeModel> BpeModel::Parse(const JsonValue& json, const std::string& where) {
  BpeModel model;
  model.unknown_token_ = TRY(FindString(json, "unk_token", where));
  model.prefix_ = TRY(FindString(json, "continuing_subword_prefix", where)).value_or("");
  model.suffix_ = TRY(FindString(json, "end_of_word_suffix", where)).value_or("");
  model.fuse_unknown_ = TRY(GetFlag(json, "fuse_unk", false, where));
  model.byte_fallback_ = TRY(GetFlag(json, "byte_fallback", false, where));
  model.ignore_merges_ = TRY(GetFlag(json, "ignore_merges", false, where));
  TRY(model.ParseVocabulary(json, where));
  TRY(model.ParseMerges(json, where));
  model.IndexSymbols();
  model.IndexJoints();
  return model;
}

Status BpeModel::ParseVocabulary(const JsonValue& json, const std::string& where) {
  const JsonValue* vocabulary = FindMember(json, "vocab");
  if (!vocabulary || !vocabulary->IsObject()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: field \"vocab\" must be an object", where));
  }
  const std::string place = where + ".vocab";
  for (const auto& entry : vocabulary->GetObject()) {
    if (!entry.value.IsInt64()) {
      return Fail(ErrorKind::kInvalidData, fmt::format("{}: the id of \"{}\" must be an integer",
                                                       place, TextOfJson(entry.name)));
    }
    TRY(vocabulary_.Add(TextOfJson(entry.name), entry.value.GetInt64(), place));
  }
  return {};
}

Status BpeModel::ParseMerges(const JsonValue& json, const std::string& where) {
  const JsonValue* merges = FindMember(json, "merges");
  if (!merges || !merges->IsArray()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: field \"merges\" must be an array", where));
  }
  if (merges->Size() > kMaxMerges) {
    return Fail(ErrorKind::kUnsupported, fmt::format("{}: more than {} merges", where, kMaxMerges));
  }
  merges_.reserve(merges->Size());
  std::uint32_t rank = 0;
  for (std::size_t i = 0; i < merges->Size(); ++i) {
    const JsonValue& merge = (*merges)[static_cast<rapidjson::SizeType>(i)];
    if (IsVersionLine(merge)) continue;
    const MergeText text = TRY(SplitMerge(merge, i, where));
    const Status added = AddMerge(text.left, text.right, rank++);
    if (!added) return BadMerge(where, i, added.error().message);
  }
  return {};
}

Status BpeModel::AddMerge(std::string_view left, std::string_view right, std::uint32_t rank) {
  if (right.size() < prefix_.size()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("\"{}\" is shorter than the prefix of continued tokens", right));
  }
  const std::string joined = fmt::format("{}{}", left, right.substr(prefix_.size()));
  for (const std::string_view token : {left, right, std::string_view(joined)}) {
    if (!vocabulary_.IdOf(token)) {
      return Fail(ErrorKind::kInvalidData, fmt::format("\"{}\" is not in the vocabulary", token));
    }
  }
  // Where a pair stands twice the later rank counts, as in the reference.
  merges_.insert_or_assign(PairKey(*vocabulary_.IdOf(left), *vocabulary_.IdOf(right)),
                           Merge{rank, *vocabulary_.IdOf(joined)});
  return {};
}

void BpeModel::IndexSymbols() {
  character_ids_.assign(kIndexedCharacters, -1);
  for (const auto& [text, id] : vocabulary_) {
    std::size_t end = 0;
    if (text.empty()) continue;
    const char32_t c = NextCodePoint(text, end);
    if (end == text.size() && c < kIndexedCharacters) character_ids_[c] = id;
  }
  byte_tokens_ = ByteTokens(vocabulary_);
}

void BpeModel::IndexJoints() {
  // With a prefix the text of a merged token does not end as its parts do.
  if (!prefix_.empty() || vocabulary_.IdOf("")) return;
  ends_.resize(vocabulary_.largest_id() + 1);
  for (const auto& [text, id] : vocabulary_) {
    std::size_t begin = 0;
    std::size_t end = text.size();
    ends_[id].first = NextCodePoint(text, begin);
    ends_[id].last = PreviousCodePoint(text, end);
  }
  joints_.emplace();
  for (const auto& [pair, merge] : merges_) {
    const auto left = static_cast<TokenId>(pair >> 32);
    const auto right = static_cast<TokenId>(pair & 0xFFFFFFFF);
    joints_->insert(PairKey(ends_[left].last, ends_[right].first));
  }
}

}  // namespace couplingd
