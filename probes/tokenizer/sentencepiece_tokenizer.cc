#include "probes/tokenizer/sentencepiece_tokenizer.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include <algorithm>
#include <utility>

#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

using Processor = sentencepiece::SentencePieceProcessor;

struct Parts {
  std::unique_ptr<const Processor> processor;
  Vocabulary vocabulary;  // the model's pieces and the added tokens
  std::vector<AddedToken> tokens;
  std::optional<TokenId> bos, eos;
  bool adds_bos = false, adds_eos = false;
  std::optional<std::int64_t> model_max_length;
  std::string hash;
};

AddedTokenMatcher MatcherOf(const std::vector<AddedToken>& tokens) {
  std::vector<std::string> spellings;
  for (const AddedToken& token : tokens) spellings.push_back(token.content);
  return AddedTokenMatcher(tokens, spellings);
}

class SentencePieceTokenizer final : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(Parts parts)
      : parts_(std::move(parts)), matcher_(MatcherOf(parts_.tokens)) {}

  Result<std::vector<TokenId>> Encode(std::string_view text,
                                      bool add_special_tokens) const override {
    if (!IsValidUtf8(text)) {
      return Fail(ErrorKind::kInvalidData, "the text to encode is not valid UTF-8");
    }
    std::vector<TokenId> ids;
    if (add_special_tokens && parts_.adds_bos) ids.push_back(*parts_.bos);
    for (const TextSegment& segment : matcher_.Split(text)) {
      if (segment.id) {
        ids.push_back(*segment.id);
        continue;
      }
      std::vector<int> pieces;
      const auto& [begin, end] = segment.span;
      const auto status = parts_.processor->Encode(text.substr(begin, end - begin), &pieces);
      if (!status.ok()) {
        return Fail(ErrorKind::kInvalidData, "SentencePiece: " + status.ToString());
      }
      ids.insert(ids.end(), pieces.begin(), pieces.end());
    }
    if (add_special_tokens && parts_.adds_eos) ids.push_back(*parts_.eos);
    return ids;
  }

  Result<std::string> Decode(std::span<const TokenId> ids) const override {
    std::string text;
    std::vector<int> pieces;
    const auto flush = [&] {
      std::string part;
      if (!pieces.empty()) (void)parts_.processor->Decode(pieces, &part);
      text += DecodeUtf8Lossily(part);
      pieces.clear();
    };
    for (const TokenId id : ids) {
      const std::string* token = parts_.vocabulary.TextOf(id);
      if (!token) {
        return Fail(ErrorKind::kInvalidData, fmt::format("the vocabulary has no token {}", id));
      }
      if (!std::ranges::count(parts_.tokens, id, &AddedToken::id)) {
        pieces.push_back(id);
        continue;
      }
      flush();
      text += *token;
    }
    flush();
    return text;
  }

  std::optional<TokenId> IdOf(std::string_view token) const override {
    return parts_.vocabulary.IdOf(token);
  }
  TokenId largest_id() const override { return parts_.vocabulary.largest_id(); }
  std::optional<TokenId> bos_id() const override { return parts_.bos; }
  std::optional<TokenId> eos_id() const override { return parts_.eos; }
  std::optional<std::int64_t> model_max_length() const override { return parts_.model_max_length; }
  const std::string& hash() const override { return parts_.hash; }

 private:
  const Parts parts_;
  const AddedTokenMatcher matcher_;
};

// The model's pieces; its control tokens become added ones.
Status ReadPieces(const std::string& source, Parts& parts) {
  for (int id = 0; id < parts.processor->GetPieceSize(); ++id) {
    const std::string& piece = parts.processor->IdToPiece(id);
    TRY(parts.vocabulary.Add(piece, id, source));
    if (!parts.processor->IsControl(id) || piece.empty()) continue;
    AddedToken token;
    token.id = id;
    token.content = piece;
    token.is_special = true;
    parts.tokens.push_back(token);
  }
  return {};
}

Status AddTokens(std::vector<AddedToken> added, const std::string& source, Parts& parts) {
  for (AddedToken& token : added) {
    const auto known = parts.vocabulary.IdOf(token.content);
    if (known && *known != token.id) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}: the token \"{}\" has the id {} there, and {} in the "
                              "configuration beside it",
                              source, token.content, *known, token.id));
    }
    if (!known) TRY(parts.vocabulary.Add(token.content, token.id, source));
    std::erase_if(parts.tokens, [&](const AddedToken& each) { return each.id == token.id; });
    parts.tokens.push_back(std::move(token));
  }
  return {};
}

Result<std::optional<TokenId>> NamedToken(const std::optional<std::string>& name, int of_model,
                                          std::string_view key, const std::string& source,
                                          const Parts& parts) {
  if (name) return ResolveNamedToken(name, parts.vocabulary, key, source);
  return of_model >= 0 ? std::optional<TokenId>(of_model) : std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> MakeSentencePieceTokenizer(std::string_view model,
                                                              const TokenizerOverlay& overlay,
                                                              std::vector<AddedToken> added,
                                                              const std::string& source) {
  auto processor = std::make_unique<Processor>();
  const auto status = processor->LoadFromSerializedProto(model);
  if (!status.ok()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", source, status.ToString()),
                "the file must be a model that SentencePiece wrote");
  }
  Parts parts;
  parts.processor = std::move(processor);
  TRY(ReadPieces(source, parts));
  TRY(AddTokens(std::move(added), source, parts));
  parts.bos = TRY(NamedToken(overlay.bos, parts.processor->bos_id(), "bos_token", source, parts));
  parts.eos = TRY(NamedToken(overlay.eos, parts.processor->eos_id(), "eos_token", source, parts));
  parts.adds_bos = parts.bos && overlay.adds_bos.value_or(true);
  parts.adds_eos = parts.eos && overlay.adds_eos.value_or(false);
  parts.model_max_length = overlay.model_max_length;
  StreamHash hash;
  hash.Update(model);
  UpdateHash(hash, overlay);
  hash.Update(fmt::format("\n{}{}", parts.adds_bos, parts.adds_eos));
  for (const AddedToken& token : parts.tokens) {
    hash.Update(fmt::format("\n{} {}", token.id, token.content));
  }
  parts.hash = hash.Hex();
  return std::make_unique<SentencePieceTokenizer>(std::move(parts));
}

}  // namespace couplingd
