#include "probes/tokenizer/pre_tokenizer.h"

#include <fmt/format.h>

#include "probes/tokenizer/byte_alphabet.h"
#include "probes/tokenizer/component.h"
#include "probes/tokenizer/oniguruma.h"
#include "probes/tokenizer/pattern.h"
#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

using PreTokenizerPointer = std::unique_ptr<PreTokenizer>;

constexpr std::string_view kByteLevelRegex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Replaces every piece by what `find` and `behavior` make of it; the text stays.
template <typename Find>
Status CutEachPiece(PieceList& list, SplitBehavior behavior, bool invert, Find find) {
  std::vector<TextSpan> cut;
  cut.reserve(list.pieces.size());
  for (std::size_t i = 0; i < list.pieces.size(); ++i) {
    const std::size_t offset = list.pieces[i].begin;
    const std::string_view piece = list.At(i);
    const std::vector<TextSpan> matches = TRY(find(piece));
    for (const TextSpan& part : CutText(CoverWithGaps(matches, piece.size(), invert), behavior)) {
      cut.push_back({offset + part.begin, offset + part.end});
    }
  }
  list.pieces = std::move(cut);
  return {};
}

// Replaces the text of every piece by what `respell(piece, is_first, out)` appends to `out`.
template <typename Respell>
void RespellEachPiece(PieceList& list, Respell respell) {
  std::string text;
  text.reserve(list.text.size() + list.text.size() / 4 + 8);
  std::vector<TextSpan> pieces;
  pieces.reserve(list.pieces.size());
  for (std::size_t i = 0; i < list.pieces.size(); ++i) {
    const std::size_t begin = text.size();
    respell(list.At(i), list.pieces[i].begin == 0, text);
    pieces.push_back({begin, text.size()});
  }
  list.starts_input = list.starts_input && !list.pieces.empty() && list.pieces[0].begin == 0;
  list.text = std::move(text);
  list.pieces = std::move(pieces);
}

// Single characters, each a match of its own.
template <typename Predicate>
Result<std::vector<TextSpan>> FindCharacters(std::string_view text, Predicate is_wanted) {
  std::vector<TextSpan> matches;
  std::size_t position = 0;
  while (position < text.size()) {
    const std::size_t begin = position;
    if (is_wanted(NextCodePoint(text, position))) matches.push_back({begin, position});
  }
  return matches;
}

class ByteLevelPreTokenizer final : public PreTokenizer {
 public:
  ByteLevelPreTokenizer(bool add_prefix_space, std::optional<OnigurumaRegex> regex)
      : add_prefix_space_(add_prefix_space), regex_(std::move(regex)) {}

  Status Apply(PieceList& list) const override {
    if (add_prefix_space_) {
      RespellEachPiece(list, [](std::string_view piece, bool, std::string& out) {
        if (!piece.starts_with(' ')) out += ' ';
        out += piece;
      });
    }
    if (regex_) {
      TRY(CutEachPiece(list, SplitBehavior::kIsolated, false,
                       [&](std::string_view piece) { return regex_->FindAll(piece); }));
    }
    RespellEachPiece(list, [](std::string_view piece, bool, std::string& out) {
      AppendByteSpelling(out, piece);
    });
    return {};
  }

 private:
  const bool add_prefix_space_;
  const std::optional<OnigurumaRegex> regex_;
};

class SplitPreTokenizer final : public PreTokenizer {
 public:
  SplitPreTokenizer(TextPattern pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  Status Apply(PieceList& list) const override {
    return CutEachPiece(list, behavior_, invert_,
                        [&](std::string_view piece) { return pattern_.FindAll(piece); });
  }

 private:
  const TextPattern pattern_;
  const SplitBehavior behavior_;
  const bool invert_;
};

// Cuts at single characters of a kind.
class CharacterPreTokenizer final : public PreTokenizer {
 public:
  CharacterPreTokenizer(bool (*is_wanted)(char32_t), SplitBehavior behavior)
      : is_wanted_(is_wanted), behavior_(behavior) {}

  Status Apply(PieceList& list) const override {
    return CutEachPiece(list, behavior_, false,
                        [&](std::string_view piece) { return FindCharacters(piece, is_wanted_); });
  }

 private:
  bool (*const is_wanted_)(char32_t);
  const SplitBehavior behavior_;
};

// Runs of word characters and runs of anything else that is no blank; blanks are dropped.
class WhitespacePreTokenizer final : public PreTokenizer {
 public:
  Status Apply(PieceList& list) const override {
    return CutEachPiece(list, SplitBehavior::kRemoved, true, FindRuns);
  }

 private:
  enum class Kind { kBlank, kWord, kOther };

  static Kind KindOf(char32_t c) {
    if (IsWord(c)) return Kind::kWord;
    return IsWhitespace(c) ? Kind::kBlank : Kind::kOther;
  }

  static Result<std::vector<TextSpan>> FindRuns(std::string_view text) {
    std::vector<TextSpan> runs;
    Kind last = Kind::kBlank;
    std::size_t position = 0;
    while (position < text.size()) {
      const std::size_t begin = position;
      const Kind kind = KindOf(NextCodePoint(text, position));
      if (kind != Kind::kBlank && kind == last) {
        runs.back().end = position;
      } else if (kind != Kind::kBlank) {
        runs.push_back({begin, position});
      }
      last = kind;
    }
    return runs;
  }
};

enum class PrependScheme { kAlways, kFirst, kNever };

class MetaspacePreTokenizer final : public PreTokenizer {
 public:
  MetaspacePreTokenizer(std::string replacement, PrependScheme scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme), split_(split) {}

  Status Apply(PieceList& list) const override {
    const bool starts_input = list.starts_input;
    RespellEachPiece(list, [&](std::string_view piece, bool is_first, std::string& out) {
      const bool starts_with_blank = piece.starts_with(' ') || piece.starts_with(replacement_);
      if (!starts_with_blank && Prepends(is_first && starts_input)) out += replacement_;
      for (const char c : piece) {
        if (c == ' ') {
          out += replacement_;
        } else {
          out += c;
        }
      }
    });
    if (!split_) return {};
    return CutEachPiece(list, SplitBehavior::kMergedWithNext, false,
                        [&](std::string_view piece) { return FindReplacement(piece); });
  }

 private:
  bool Prepends(bool is_start_of_input) const {
    return scheme_ == PrependScheme::kAlways ||
           (scheme_ == PrependScheme::kFirst && is_start_of_input);
  }

  Result<std::vector<TextSpan>> FindReplacement(std::string_view piece) const {
    std::vector<TextSpan> matches;
    for (std::size_t found = piece.find(replacement_); found != std::string_view::npos;
         found = piece.find(replacement_, found + replacement_.size())) {
      matches.push_back({found, found + replacement_.size()});
    }
    return matches;
  }

  const std::string replacement_;
  const PrependScheme scheme_;
  const bool split_;
};

class PreTokenizerSequence final : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(std::vector<PreTokenizerPointer> steps)
      : steps_(std::move(steps)) {}

  Status Apply(PieceList& list) const override {
    for (const auto& step : steps_) TRY(step->Apply(list));
    return {};
  }

 private:
  const std::vector<PreTokenizerPointer> steps_;
};

Result<PreTokenizerPointer> BuildByteLevel(const JsonValue& json, const std::string& where) {
  const bool add_prefix_space = TRY(GetBool(json, "add_prefix_space", where));
  std::optional<OnigurumaRegex> regex;
  if (TRY(GetFlag(json, "use_regex", true, where))) regex = TRY(CompileOniguruma(kByteLevelRegex));
  return std::make_unique<ByteLevelPreTokenizer>(add_prefix_space, std::move(regex));
}

Result<PreTokenizerPointer> BuildSplit(const JsonValue& json, const std::string& where) {
  TextPattern pattern = TRY(TextPattern::Parse(json, where));
  const std::string name = TRY(GetString(json, "behavior", where));
  const SplitBehavior behavior = TRY(ParseSplitBehavior(name, where));
  const bool invert = TRY(GetBool(json, "invert", where));
  return std::make_unique<SplitPreTokenizer>(std::move(pattern), behavior, invert);
}

Result<PreTokenizerPointer> BuildDigits(const JsonValue& json, const std::string& where) {
  const bool individual = TRY(GetBool(json, "individual_digits", where));
  return std::make_unique<CharacterPreTokenizer>(
      IsNumeric, individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
}

Result<PreTokenizerPointer> BuildPunctuation(const JsonValue& json, const std::string& where) {
  const auto name = TRY(FindString(json, "behavior", where));
  const SplitBehavior behavior = TRY(ParseSplitBehavior(name.value_or("Isolated"), where));
  return std::make_unique<CharacterPreTokenizer>(IsPunctuation, behavior);
}

Result<PreTokenizerPointer> BuildWhitespace(const JsonValue&, const std::string&) {
  return std::make_unique<WhitespacePreTokenizer>();
}

Result<PreTokenizerPointer> BuildWhitespaceSplit(const JsonValue&, const std::string&) {
  return std::make_unique<CharacterPreTokenizer>(IsWhitespace, SplitBehavior::kRemoved);
}

// Files from before "prepend_scheme" say "add_prefix_space".
Result<PrependScheme> ParsePrependScheme(const JsonValue& json, const std::string& where) {
  const auto name = TRY(FindString(json, "prepend_scheme", where));
  const auto add_prefix_space = TRY(FindBool(json, "add_prefix_space", where));
  if (add_prefix_space == false && name && *name != "never") {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: \"add_prefix_space\" is false and \"prepend_scheme\" is \"{}\"",
                            where, *name));
  }
  if (add_prefix_space == false || name == "never") return PrependScheme::kNever;
  if (!name || *name == "always") return PrependScheme::kAlways;
  if (*name == "first") return PrependScheme::kFirst;
  return Fail(ErrorKind::kUnsupported,
              fmt::format("{}: the prepend scheme \"{}\" is not supported", where, *name));
}

Result<PreTokenizerPointer> BuildMetaspace(const JsonValue& json, const std::string& where) {
  std::string replacement;
  AppendUtf8(replacement, TRY(GetCharacter(json, "replacement", where)));
  const PrependScheme scheme = TRY(ParsePrependScheme(json, where));
  const bool split = TRY(GetFlag(json, "split", true, where));
  return std::make_unique<MetaspacePreTokenizer>(std::move(replacement), scheme, split);
}

Result<PreTokenizerPointer> BuildSequence(const JsonValue& json, const std::string& where) {
  std::vector<PreTokenizerPointer> steps;
  for (const auto& [step, place] : TRY(ComponentList(json, "pretokenizers", where))) {
    steps.push_back(TRY(ParsePreTokenizer(step, place)));
  }
  return std::make_unique<PreTokenizerSequence>(std::move(steps));
}

constexpr ComponentBuilder<PreTokenizer> kPreTokenizers[] = {
    {"ByteLevel", BuildByteLevel},     {"Split", BuildSplit},
    {"Digits", BuildDigits},           {"Metaspace", BuildMetaspace},
    {"Whitespace", BuildWhitespace},   {"WhitespaceSplit", BuildWhitespaceSplit},
    {"Punctuation", BuildPunctuation}, {"Sequence", BuildSequence},
};

}  // namespace

Result<PreTokenizerPointer> ParsePreTokenizer(const JsonValue* json, const std::string& where) {
  if (!json) return std::make_unique<PreTokenizerSequence>(std::vector<PreTokenizerPointer>{});
  return BuildComponent(kPreTokenizers, *json, where);
}

}  // namespace couplingd
