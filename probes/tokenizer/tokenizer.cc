#include "probes/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "probes/tokenizer/added_tokens.h"
#include "probes/tokenizer/decoder.h"
#include "probes/tokenizer/normalizer.h"
#include "probes/tokenizer/overlay.h"
#include "probes/tokenizer/post_processor.h"
#include "probes/tokenizer/pre_tokenizer.h"
#include "probes/tokenizer/sentencepiece_tokenizer.h"
#include "probes/tokenizer/token_model.h"
#include "probes/tokenizer/unicode.h"
#include "probes/tokenizer/word_files.h"

namespace couplingd {
namespace {

struct TokenizerParts {
  std::unique_ptr<TextNormalizer> normalizer;
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  std::unique_ptr<PostProcessor> post_processor;
  std::unique_ptr<TokenDecoder> decoder;
  TokenModel model;
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
    TRY(std::visit([&](const auto& model) { return EncodeWith(model, text, ids); }, parts_.model));
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
  template <typename Model>
  Status EncodeWith(const Model& model, std::string_view text, std::vector<TokenId>& ids) const {
    typename Model::Scratch scratch;
    for (const TextSegment& segment : parts_.raw_tokens.Split(text)) {
      if (segment.id) {
        ids.push_back(*segment.id);
      } else {
        TRY(EncodeSegment(model, text, segment.span, scratch, ids));
      }
    }
    return {};
  }

  // A stretch without tokens that are found in the raw text.
  template <typename Model>
  Status EncodeSegment(const Model& model, std::string_view text, TextSpan span,
                       typename Model::Scratch& scratch, std::vector<TokenId>& ids) const {
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
        TRY(model.Encode(list.At(i), scratch, ids));
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

std::string HashContent(std::string_view tokenizer_json, const TokenizerOverlay& overlay) {
  StreamHash hash;
  hash.Update(tokenizer_json);
  UpdateHash(hash, overlay);
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
  TokenModel model = TRY(ParseTokenModel(*model_json, place("model")));
  const auto tokens =
      TRY(ParseAddedTokens(part("added_tokens"), VocabularyOf(model), place("added_tokens")));
  AddedTokenMatcher normalized_tokens = TRY(MatchNormalized(tokens, *normalizer));
  Vocabulary all_tokens = TRY(WithAddedTokens(VocabularyOf(model), tokens, place("added_tokens")));
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

}  // namespace

Result<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& directory) {
  const TokenizerOverlay overlay = TRY(ReadOverlays(directory));
  const std::string path = JoinPath(directory, "tokenizer.json");
  const auto json = ReadFile(path);
  if (json) return Build(*json, overlay, path);
  if (json.error().kind != ErrorKind::kNotFound) return std::unexpected(json.error());
  if (const auto composed = TRY(ComposeTokenizerJson(directory, overlay))) {
    return Build(*composed, overlay, JoinPath(directory, "vocab.json"));
  }
  const std::string model_path = JoinPath(directory, "tokenizer.model");
  if (const auto model = TRY(ReadOptionalFile(model_path, kMaxSentencePieceBytes))) {
    return MakeSentencePieceTokenizer(*model, overlay, TRY(ReadConfiguredTokens(directory)),
                                      model_path);
  }
  return Fail(ErrorKind::kNotFound, json.error().message,
              "the checkpoint must hold tokenizer.json, vocab.json with merges.txt, or "
              "tokenizer.model; or name a directory that does as the run's tokenizer");
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
