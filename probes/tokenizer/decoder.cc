#include "probes/tokenizer/decoder.h"

#include <fmt/format.h>

#include <optional>

#include "probes/tokenizer/byte_alphabet.h"
#include "probes/tokenizer/component.h"
#include "probes/tokenizer/pattern.h"
#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

using Tokens = std::vector<std::string>;
using DecoderPointer = std::unique_ptr<TokenDecoder>;

std::string Join(const Tokens& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

class BlankDecoder final : public TokenDecoder {
 public:
  Result<Tokens> Decode(Tokens tokens) const override {
    for (std::size_t i = 1; i < tokens.size(); ++i) tokens[i] = " " + tokens[i];
    return tokens;
  }
};

class ByteLevelDecoder final : public TokenDecoder {
 public:
  Result<Tokens> Decode(Tokens tokens) const override {
    std::string bytes;
    for (const std::string& token : tokens) bytes += BytesOf(token);
    return Tokens{DecodeUtf8Lossily(bytes)};
  }

 private:
  // A token with a character outside the alphabet stands for itself.
  static std::string BytesOf(const std::string& token) {
    std::string bytes;
    std::size_t position = 0;
    while (position < token.size()) {
      const auto byte = ByteOf(NextCodePoint(token, position));
      if (!byte) return token;
      bytes += static_cast<char>(*byte);
    }
    return bytes;
  }
};

class ReplaceDecoder final : public TokenDecoder {
 public:
  ReplaceDecoder(TextPattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  Result<Tokens> Decode(Tokens tokens) const override {
    for (std::string& token : tokens) token = TRY(pattern_.ReplaceAll(token, content_));
    return tokens;
  }

 private:
  const TextPattern pattern_;
  const std::string content_;
};

// Runs of <0xHH> become text where they are UTF-8, and otherwise one U+FFFD per byte.
class ByteFallbackDecoder final : public TokenDecoder {
 public:
  Result<Tokens> Decode(Tokens tokens) const override {
    Tokens decoded;
    std::string run;
    for (std::string& token : tokens) {
      if (const auto byte = ByteToken(token)) {
        run += static_cast<char>(*byte);
        continue;
      }
      FlushRun(run, decoded);
      decoded.push_back(std::move(token));
    }
    FlushRun(run, decoded);
    return decoded;
  }

 private:
  static std::optional<std::uint8_t> ByteToken(const std::string& token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
    int value = 0;
    for (const char c : {token[3], token[4]}) {
      const bool is_digit = c >= '0' && c <= '9';
      const char lower = static_cast<char>(c | 0x20);
      if (!is_digit && (lower < 'a' || lower > 'f')) return std::nullopt;
      value = value * 16 + (is_digit ? c - '0' : lower - 'a' + 10);
    }
    return static_cast<std::uint8_t>(value);
  }

  static void FlushRun(std::string& run, Tokens& decoded) {
    if (run.empty()) return;
    if (IsValidUtf8(run)) {
      decoded.push_back(run);
    } else {
      decoded.insert(decoded.end(), run.size(), "\xEF\xBF\xBD");
    }
    run.clear();
  }
};

class FuseDecoder final : public TokenDecoder {
 public:
  Result<Tokens> Decode(Tokens tokens) const override { return Tokens{Join(tokens)}; }
};

// Takes up to `start` copies of a character off the
// front of each token and up to `stop` off its end.
class StripDecoder final : public TokenDecoder {
 public:
  StripDecoder(std::string content, std::int64_t start, std::int64_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}
  Result<Tokens> Decode(Tokens tokens) const override {
    for (std::string& token : tokens) {
      std::string_view rest = token;
      for (std::int64_t i = 0; i < start_ && rest.starts_with(content_); ++i) {
        rest.remove_prefix(content_.size());
      }
      for (std::int64_t i = 0; i < stop_ && rest.ends_with(content_); ++i) {
        rest.remove_suffix(content_.size());
      }
      token = std::string(rest);
    }
    return tokens;
  }

 private:
  const std::string content_;
  const std::int64_t start_;
  const std::int64_t stop_;
};

class MetaspaceDecoder final : public TokenDecoder {
 public:
  MetaspaceDecoder(char32_t replacement, bool drops_first)
      : replacement_(replacement), drops_first_(drops_first) {}
  Result<Tokens> Decode(Tokens tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = Respell(tokens[i], i == 0 && drops_first_ ? "" : " ");
    }
    return tokens;
  }

 private:
  std::string Respell(const std::string& token, std::string_view blank) const {
    std::string text;
    std::size_t position = 0;
    while (position < token.size()) {
      const char32_t c = NextCodePoint(token, position);
      if (c == replacement_) {
        text += blank;
      } else {
        AppendUtf8(text, c);
      }
    }
    return text;
  }

  const char32_t replacement_;
  const bool drops_first_;
};

class DecoderSequence final : public TokenDecoder {
 public:
  explicit DecoderSequence(std::vector<DecoderPointer> steps) : steps_(std::move(steps)) {}
  Result<Tokens> Decode(Tokens tokens) const override {
    for (const auto& step : steps_) tokens = TRY(step->Decode(std::move(tokens)));
    return tokens;
  }

 private:
  const std::vector<DecoderPointer> steps_;
};

template <typename Decoder>
Result<DecoderPointer> BuildPlain(const JsonValue&, const std::string&) {
  return std::make_unique<Decoder>();
}

Result<DecoderPointer> BuildReplace(const JsonValue& json, const std::string& where) {
  TextPattern pattern = TRY(TextPattern::Parse(json, where));
  std::string content = TRY(GetString(json, "content", where));
  return std::make_unique<ReplaceDecoder>(std::move(pattern), std::move(content));
}

Result<DecoderPointer> BuildStrip(const JsonValue& json, const std::string& where) {
  std::string content;
  AppendUtf8(content, TRY(GetCharacter(json, "content", where)));
  const std::int64_t start = TRY(GetInt(json, "start", where));
  const std::int64_t stop = TRY(GetInt(json, "stop", where));
  if (start < 0 || stop < 0) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: \"start\" and \"stop\" must not be negative", where));
  }
  return std::make_unique<StripDecoder>(std::move(content), start, stop);
}

Result<DecoderPointer> BuildMetaspace(const JsonValue& json, const std::string& where) {
  const char32_t replacement = TRY(GetCharacter(json, "replacement", where));
  const auto scheme = TRY(FindString(json, "prepend_scheme", where));
  const auto add_prefix_space = TRY(FindBool(json, "add_prefix_space", where));
  const bool never = scheme ? *scheme == "never" : add_prefix_space == false;
  return std::make_unique<MetaspaceDecoder>(replacement, !never);
}

Result<DecoderPointer> BuildSequence(const JsonValue& json, const std::string& where) {
  std::vector<DecoderPointer> steps;
  for (const auto& [step, place] : TRY(ComponentList(json, "decoders", where))) {
    steps.push_back(TRY(ParseDecoder(step, place)));
  }
  return std::make_unique<DecoderSequence>(std::move(steps));
}

constexpr ComponentBuilder<TokenDecoder> kDecoders[] = {
    {"ByteLevel", BuildPlain<ByteLevelDecoder>},
    {"Replace", BuildReplace},
    {"ByteFallback", BuildPlain<ByteFallbackDecoder>},
    {"Fuse", BuildPlain<FuseDecoder>},
    {"Strip", BuildStrip},
    {"Metaspace", BuildMetaspace},
    {"Sequence", BuildSequence},
};

}  // namespace

Result<DecoderPointer> ParseDecoder(const JsonValue* json, const std::string& where) {
  if (!json) return std::make_unique<BlankDecoder>();
  return BuildComponent(kDecoders, *json, where);
}

}  // namespace couplingd
