#include "probes/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <cmath>

#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "probes/tokenizer/added_tokens.h"
#include "probes/tokenizer/bpe.h"
#include "probes/tokenizer/decoder.h"
#include "probes/tokenizer/normalizer.h"
#include "probes/tokenizer/post_processor.h"
#include "probes/tokenizer/pre_tokenizer.h"
#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxConfigBytes = 16 << 20;
constexpr double kInfiniteLength = 1e20;

// What tokenizer_config.json and special_tokens_map.json say about ids and lengths.
struct TokenizerOverlay {
  std::optional<std::string> bos;
  std::optional<std::string> eos;
  std::optional<std::int64_t> model_max_length;
};

struct TokenizerParts {
  std::unique_ptr<TextNormalizer> normalizer;
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  std::unique_ptr<PostProcessor> post_processor;
  std::unique_ptr<TokenDecoder> decoder;
  BpeModel model;
  AddedTokenMatcher raw_tokens;         // found in the text as it is
  AddedTokenMatcher normalized_tokens;  // found in the normalized text
  Vocabulary all_tokens;                // of the model and the added ones
  std::optional<TokenId> bos_id;
  std::optional<TokenId> eos_id;
  std::optional<std::int64_t> model_max_length;
  std::string hash;
};

class PipelineTokenizer final : public Tokenizer {
 public:
  explicit PipelineTokenizer(TokenizerParts parts) : parts_(std::move(parts)) {}

  Result<std::vector<TokenId>> Encode(std::string_view text,
                                      bool add_special_tokens) const override {
    if (!IsValidUtf8(text)) {
      return Fail(ErrorKind::kInvalidData, "the text to encode is not valid UTF-8");
    }
    std::vector<TokenId> ids;
    BpeModel::Scratch scratch;
    for (const TextSegment& segment : parts_.raw_tokens.Split(text)) {
      if (segment.id) {
        ids.push_back(*segment.id);
      } else {
        TRY(EncodeSegment(text, segment.span, scratch, ids));
      }
    }
    return parts_.post_processor->Apply(std::move(ids), add_special_tokens);
  }

  Result<std::string> Decode(std::span<const TokenId> ids) const override {
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const TokenId id : ids) {
      const std::string* token = parts_.all_tokens.TextOf(id);
      if (!token) {
        return Fail(ErrorKind::kInvalidData, fmt::format("the vocabulary has no token {}", id));
      }
      tokens.push_back(*token);
    }
    std::string text;
    for (const std::string& part : TRY(parts_.decoder->Decode(std::move(tokens)))) text += part;
    return text;
  }

  std::optional<TokenId> IdOf(std::string_view token) const override {
    return parts_.all_tokens.IdOf(token);
  }
  TokenId largest_id() const override { return parts_.all_tokens.largest_id(); }
  std::optional<TokenId> bos_id() const override { return parts_.bos_id; }
  std::optional<TokenId> eos_id() const override { return parts_.eos_id; }
  std::optional<std::int64_t> model_max_length() const override { return parts_.model_max_length; }
  const std::string& hash() const override { return parts_.hash; }

 private:
  // A stretch without tokens that are found in the raw text.
  Status EncodeSegment(std::string_view text, TextSpan span, BpeModel::Scratch& scratch,
                       std::vector<TokenId>& ids) const {
    std::string raw(text.substr(span.begin, span.end - span.begin));
    const std::string normalized = TRY(parts_.normalizer->Normalize(std::move(raw)));
    for (const TextSegment& segment : parts_.normalized_tokens.Split(normalized)) {
      if (segment.id) {
        ids.push_back(*segment.id);
        continue;
      }
      PieceList list;
      list.text = normalized.substr(segment.span.begin, segment.span.end - segment.span.begin);
      list.pieces = {{0, list.text.size()}};
      list.starts_input = span.begin == 0 && segment.span.begin == 0;
      TRY(parts_.pre_tokenizer->Apply(list));
      for (std::size_t i = 0; i < list.pieces.size(); ++i) {
        TRY(parts_.model.Encode(list.At(i), scratch, ids));
      }
    }
    return {};
  }

  const TokenizerParts parts_;
};

AddedTokenMatcher MatchRaw(const std::vector<AddedToken>& tokens) {
  std::vector<AddedToken> chosen;
  std::vector<std::string> spellings;
  for (const AddedToken& token : tokens) {
    if (token.is_normalized) continue;
    chosen.push_back(token);
    spellings.push_back(token.content);
  }
  return AddedTokenMatcher(std::move(chosen), spellings);
}

Result<AddedTokenMatcher> MatchNormalized(const std::vector<AddedToken>& tokens,
                                          const TextNormalizer& normalizer) {
  std::vector<AddedToken> chosen;
  std::vector<std::string> spellings;
  for (const AddedToken& token : tokens) {
    if (!token.is_normalized) continue;
    chosen.push_back(token);
    spellings.push_back(TRY(normalizer.Normalize(token.content)));
  }
  return AddedTokenMatcher(std::move(chosen), spellings);
}

Result<Vocabulary> WithAddedTokens(Vocabulary vocabulary, const std::vector<AddedToken>& tokens,
                                   const std::string& where) {
  for (const AddedToken& token : tokens) {
    if (!vocabulary.IdOf(token.content)) TRY(vocabulary.Add(token.content, token.id, where));
  }
  return vocabulary;
}

Status CheckSpecialIds(const PostProcessor& processor, const Vocabulary& vocabulary,
                       const std::string& where) {
  std::vector<TokenId> ids;
  processor.ListSpecialIds(ids);
  for (const TokenId id : ids) {
    if (vocabulary.TextOf(id)) continue;
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: adds the token {}, which is not in the vocabulary", where, id));
  }
  return {};
}

// "bos_token": "<s>" or {"content": "<s>", …}.
Result<std::optional<std::string>> FindNamedToken(const JsonValue& config, std::string_view key,
                                                  const std::string& source) {
  const JsonValue* value = FindMember(config, key);
  if (value && value->IsObject())
    return TRY(GetString(*value, "content", source + ": " + std::string(key)));
  return FindString(config, key, source);
}

Result<std::optional<std::int64_t>> FindMaxLength(const JsonValue& config,
                                                  const std::string& source) {
  const auto length = TRY(FindDouble(config, "model_max_length", source));
  if (!length || *length > kInfiniteLength) return std::nullopt;
  // Between the largest count that a double holds exactly and "infinite" no length means anything.
  if (!(*length >= 1) || *length > 9007199254740992.0 || std::floor(*length) != *length) {
    return Fail(
        ErrorKind::kInvalidData,
        fmt::format("{}: field \"model_max_length\" must be a positive whole number, not {}",
                    source, *length));
  }
  return static_cast<std::int64_t>(*length);
}

Status ReadOverlay(std::string_view json, const std::string& source, TokenizerOverlay& overlay) {
  const JsonDocument config = TRY(ParseJson(json, source, {.max_bytes = kMaxConfigBytes}));
  if (!config.IsObject()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} must be an object", source));
  }
  if (!overlay.bos) overlay.bos = TRY(FindNamedToken(config, "bos_token", source));
  if (!overlay.eos) overlay.eos = TRY(FindNamedToken(config, "eos_token", source));
  if (!overlay.model_max_length) overlay.model_max_length = TRY(FindMaxLength(config, source));
  return {};
}

Result<std::optional<TokenId>> ResolveNamedToken(const std::optional<std::string>& token,
                                                 const Vocabulary& vocabulary, std::string_view key,
                                                 const std::string& source) {
  if (!token) return std::nullopt;
  if (const auto id = vocabulary.IdOf(*token)) return id;
  return Fail(
      ErrorKind::kInvalidData,
      fmt::format("{}: the configuration names \"{}\" as {}, which is not in the vocabulary",
                  source, *token, key));
}

std::string HashContent(std::string_view tokenizer_json, const TokenizerOverlay& overlay) {
  StreamHash hash;
  hash.Update(tokenizer_json);
  for (const auto& field : {overlay.bos, overlay.eos}) {
    hash.Update(field ? fmt::format("\n{}:{}", field->size(), *field) : "\n-");
  }
  hash.Update(fmt::format("\n{}", overlay.model_max_length.value_or(0)));
  return hash.Hex();
}

Status CheckVersion(const JsonValue& json, const std::string& source) {
  if (!json.IsObject()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} must be an object", source));
  }
  const auto version = TRY(FindString(json, "version", source));
  if (!version || *version == "1.0") return {};
  return Fail(
      ErrorKind::kUnsupported,
      fmt::format("{}: the version \"{}\" is not supported; known is 1.0", source, *version));
}

Result<std::unique_ptr<Tokenizer>> Build(std::string_view tokenizer_json,
                                         const TokenizerOverlay& overlay,
                                         const std::string& source) {
  const JsonDocument json = TRY(ParseJson(tokenizer_json, source));
  TRY(CheckVersion(json, source));
  const JsonValue* model_json = FindMember(json, "model");
  if (!model_json) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: field \"model\" is missing", source));
  }
  const auto place = [&](std::string_view key) { return fmt::format("{}: {}", source, key); };
  const auto part = [&](std::string_view key) { return FindMember(json, key); };
  auto normalizer = TRY(ParseNormalizer(part("normalizer"), place("normalizer")));
  auto pre_tokenizer = TRY(ParsePreTokenizer(part("pre_tokenizer"), place("pre_tokenizer")));
  auto post_processor = TRY(ParsePostProcessor(part("post_processor"), place("post_processor")));
  auto decoder = TRY(ParseDecoder(part("decoder"), place("decoder")));
  BpeModel model = TRY(BpeModel::Parse(*model_json, place("model")));
  const auto tokens =
      TRY(ParseAddedTokens(part("added_tokens"), model.vocabulary(), place("added_tokens")));
  AddedTokenMatcher normalized_tokens = TRY(MatchNormalized(tokens, *normalizer));
  Vocabulary all_tokens = TRY(WithAddedTokens(model.vocabulary(), tokens, place("added_tokens")));
  TRY(CheckSpecialIds(*post_processor, all_tokens, place("post_processor")));
  const auto bos_id = TRY(ResolveNamedToken(overlay.bos, all_tokens, "bos_token", source));
  const auto eos_id = TRY(ResolveNamedToken(overlay.eos, all_tokens, "eos_token", source));
  if (all_tokens.size() == 0) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: the vocabulary is empty", source));
  }
  return std::make_unique<PipelineTokenizer>(TokenizerParts{
      .normalizer = std::move(normalizer),
      .pre_tokenizer = std::move(pre_tokenizer),
      .post_processor = std::move(post_processor),
      .decoder = std::move(decoder),
      .model = std::move(model),
      .raw_tokens = MatchRaw(tokens),
      .normalized_tokens = std::move(normalized_tokens),
      .all_tokens = std::move(all_tokens),
      .bos_id = bos_id,
      .eos_id = eos_id,
      .model_max_length = overlay.model_max_length,
      .hash = HashContent(tokenizer_json, overlay),
  });
}

// A missing file gives nothing.
Result<std::optional<std::string>> ReadOptionalFile(const std::string& path) {
  auto content = ReadFile(path, kMaxConfigBytes);
  if (content) return std::move(*content);
  if (content.error().kind == ErrorKind::kNotFound) return std::nullopt;
  return std::unexpected(std::move(content).error());
}

std::unexpected<Error> NoTokenizerFile(const Error& error, const std::string& directory) {
  std::string hint = "the checkpoint must hold tokenizer.json";
  const auto names = ListDirectory(directory);
  for (const std::string& name : names.value_or(std::vector<std::string>{})) {
    if (name != "tokenizer.model" && name != "vocab.json") continue;
    hint = fmt::format(
        "only {} is there: load it with transformers' AutoTokenizer and save_pretrained, "
        "which writes tokenizer.json",
        name);
  }
  return Fail(ErrorKind::kNotFound, error.message, hint);
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& directory) {
  const std::string path = JoinPath(directory, "tokenizer.json");
  const auto json = ReadFile(path);
  if (!json && json.error().kind == ErrorKind::kNotFound)
    return NoTokenizerFile(json.error(), directory);
  if (!json) return std::unexpected(json.error());
  TokenizerOverlay overlay;
  for (const std::string_view name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const std::string overlay_path = JoinPath(directory, name);
    const auto content = TRY(ReadOptionalFile(overlay_path));
    if (content) TRY(ReadOverlay(*content, overlay_path, overlay));
  }
  return Build(*json, overlay, path);
}

Result<std::unique_ptr<Tokenizer>> ParseTokenizer(std::string_view tokenizer_json,
                                                  std::string_view tokenizer_config_json,
                                                  std::string_view source) {
  TokenizerOverlay overlay;
  if (!tokenizer_config_json.empty()) {
    TRY(ReadOverlay(tokenizer_config_json, fmt::format("{} (configuration)", source), overlay));
  }
  return Build(tokenizer_json, overlay, std::string(source));
}

}  // namespace couplingd
