#include "probes/tokenizer/overlay.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "base/files.h"
#include "base/json.h"
#include "base/numbers.h"
#include "probes/tokenizer/component.h"

namespace couplingd {
namespace {

constexpr double kInfiniteLength = 1e20;
constexpr char kConfig[] = "tokenizer_config.json";

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

std::optional<bool> FindSwitch(const JsonValue& config, std::string_view key) {
  const JsonValue* value = FindMember(config, key);
  return value && value->IsBool() ? std::optional(value->GetBool()) : std::nullopt;
}

Result<JsonDocument> ParseObject(std::string_view json, const std::string& source) {
  JsonDocument document = TRY(ParseJson(json, source, {.max_bytes = kMaxTokenizerConfigBytes}));
  if (document.IsObject()) return document;
  return Fail(ErrorKind::kInvalidData, fmt::format("{} must be an object", source));
}

Result<AddedToken> ConfiguredToken(std::int64_t id, const JsonValue& json,
                                   const std::string& where) {
  if (id < 0 || id > Vocabulary::kMaxTokenId) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: {} is no token id", where, id));
  }
  AddedToken token;
  token.id = static_cast<TokenId>(id);
  token.content = TRY(GetString(json, "content", where));
  token.single_word = TRY(GetFlag(json, "single_word", false, where));
  token.strips_left = TRY(GetFlag(json, "lstrip", false, where));
  token.strips_right = TRY(GetFlag(json, "rstrip", false, where));
  token.is_normalized = TRY(GetFlag(json, "normalized", false, where));
  token.is_special = TRY(GetFlag(json, "special", false, where));
  return token;
}

// {"50257": {"content": …}, …}
Status AddDecoderTokens(const JsonValue& config, const std::string& source,
                        std::map<TokenId, AddedToken>& tokens) {
  const JsonValue* decoder = FindMember(config, "added_tokens_decoder");
  if (!decoder || !decoder->IsObject()) return {};
  for (const auto& entry : decoder->GetObject()) {
    const std::string key(entry.name.GetString(), entry.name.GetStringLength());
    const std::string where = fmt::format("{}: added_tokens_decoder[\"{}\"]", source, key);
    const std::int64_t id = ParseNumber<std::int64_t>(key).value_or(-1);
    const AddedToken token = TRY(ConfiguredToken(id, entry.value, where));
    tokens.insert_or_assign(token.id, token);
  }
  return {};
}

}  // namespace

Status ReadOverlay(std::string_view json, const std::string& source, TokenizerOverlay& overlay) {
  const JsonDocument config = TRY(ParseObject(json, source));
  if (!overlay.bos) overlay.bos = TRY(FindNamedToken(config, "bos_token", source));
  if (!overlay.eos) overlay.eos = TRY(FindNamedToken(config, "eos_token", source));
  if (!overlay.model_max_length) overlay.model_max_length = TRY(FindMaxLength(config, source));
  const JsonValue* name = FindMember(config, "tokenizer_class");
  if (!overlay.tokenizer_class && name && name->IsString()) {
    overlay.tokenizer_class = name->GetString();
  }
  if (!overlay.adds_bos) overlay.adds_bos = FindSwitch(config, "add_bos_token");
  if (!overlay.adds_eos) overlay.adds_eos = FindSwitch(config, "add_eos_token");
  if (!overlay.adds_prefix_space) {
    overlay.adds_prefix_space = FindSwitch(config, "add_prefix_space");
  }
  return {};
}

Result<TokenizerOverlay> ReadOverlays(const std::string& directory) {
  TokenizerOverlay overlay;
  for (const std::string_view name : {kConfig, "special_tokens_map.json"}) {
    const std::string path = JoinPath(directory, name);
    const auto content = TRY(ReadOptionalFile(path, kMaxTokenizerConfigBytes));
    if (content) TRY(ReadOverlay(*content, path, overlay));
  }
  return overlay;
}

Result<std::vector<AddedToken>> ReadConfiguredTokens(const std::string& directory) {
  std::map<TokenId, AddedToken> tokens;
  const std::string added_path = JoinPath(directory, "added_tokens.json");
  if (const auto added = TRY(ReadOptionalFile(added_path, kMaxTokenizerConfigBytes))) {
    const JsonDocument json = TRY(ParseObject(*added, added_path));
    for (const auto& entry : json.GetObject()) {
      const std::string content(entry.name.GetString(), entry.name.GetStringLength());
      const std::int64_t id = TRY(GetInt(json, content, added_path));
      if (id < 0 || id > Vocabulary::kMaxTokenId) {
        return Fail(ErrorKind::kInvalidData,
                    fmt::format("{}: the id of \"{}\" is {}", added_path, content, id));
      }
      AddedToken& token = tokens[static_cast<TokenId>(id)];
      token.id = static_cast<TokenId>(id);
      token.content = content;
    }
  }
  const std::string config_path = JoinPath(directory, kConfig);
  if (const auto config = TRY(ReadOptionalFile(config_path, kMaxTokenizerConfigBytes))) {
    TRY(AddDecoderTokens(TRY(ParseObject(*config, config_path)), config_path, tokens));
  }
  std::vector<AddedToken> list;
  for (const auto& [id, token] : tokens) list.push_back(token);
  return list;
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

void UpdateHash(StreamHash& hash, const TokenizerOverlay& overlay) {
  for (const auto& field : {overlay.bos, overlay.eos}) {
    hash.Update(field ? fmt::format("\n{}:{}", field->size(), *field) : "\n-");
  }
  hash.Update(fmt::format("\n{}", overlay.model_max_length.value_or(0)));
}

Result<std::optional<std::string>> ReadOptionalFile(const std::string& path,
                                                    std::size_t max_bytes) {
  auto content = ReadFile(path, max_bytes);
  if (content) return std::move(*content);
  if (content.error().kind == ErrorKind::kNotFound) return std::nullopt;
  return std::unexpected(std::move(content).error());
}

}  // namespace couplingd
