#include "probes/tokenizer/word_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/json.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxVocabularyBytes = 256u << 20;

struct ClassPipeline {
  std::string_view name;  // of the class, without "Fast"
  std::string_view normalizer;
  std::string_view split;  // a regex before the byte level; empty: the byte level's own
};

constexpr ClassPipeline kClasses[] = {
    {"GPT2Tokenizer", "null", ""},
    {"CodeGenTokenizer", "null", ""},
    {"GPTNeoXTokenizer", R"({"type":"NFC"})", ""},
    {"Qwen2Tokenizer", R"({"type":"NFC"})",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

Result<const ClassPipeline*> FindPipeline(const TokenizerOverlay& overlay,
                                          const std::string& directory) {
  std::string_view name = overlay.tokenizer_class ? *overlay.tokenizer_class : kClasses[0].name;
  if (name.ends_with("Fast")) name.remove_suffix(4);
  const auto found = std::ranges::find(kClasses, name, &ClassPipeline::name);
  if (found != std::end(kClasses)) return &*found;
  return Fail(ErrorKind::kUnsupported,
              fmt::format("{}: vocab.json and merges.txt of the class \"{}\" are not known",
                          directory, *overlay.tokenizer_class),
              "load it with transformers' AutoTokenizer and save_pretrained, which writes "
              "tokenizer.json");
}

std::string MergesOf(std::string_view text) {
  JsonWriter json;
  json.BeginArray();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() && !line.starts_with("#version")) json.Value(std::string(line));
  }
  return json.EndArray().Text();
}

void Write(JsonWriter& json, const AddedToken& token) {
  json.BeginObject().Field("id", static_cast<std::int64_t>(token.id));
  json.Field("content", token.content).Field("single_word", token.single_word);
  json.Field("lstrip", token.strips_left).Field("rstrip", token.strips_right);
  json.Field("normalized", token.is_normalized).Field("special", token.is_special).EndObject();
}

// Those of the configuration, and the named ones.
std::vector<AddedToken> AddedTokensOf(std::vector<AddedToken> tokens, const JsonValue& vocabulary,
                                      const TokenizerOverlay& overlay) {
  for (const auto& named : {overlay.bos, overlay.eos}) {
    if (!named || std::ranges::count(tokens, *named, &AddedToken::content) > 0) continue;
    const JsonValue* id = FindMember(vocabulary, *named);
    if (!id || !id->IsInt()) continue;
    AddedToken token;
    token.id = id->GetInt();
    token.content = *named;
    token.is_special = true;
    tokens.push_back(token);
  }
  std::ranges::stable_sort(tokens, {}, &AddedToken::id);
  return tokens;
}

std::string PreTokenizerOf(const ClassPipeline& pipeline, bool adds_prefix_space) {
  JsonWriter split;
  split.BeginObject().Field("type", "Split").Key("pattern").BeginObject();
  split.Field("Regex", std::string(pipeline.split)).EndObject();
  split.Field("behavior", "Isolated").Field("invert", false).EndObject();
  const bool is_split = !pipeline.split.empty();
  const std::string bytes = fmt::format(
      R"({{"type":"ByteLevel","add_prefix_space":{},"trim_offsets":false,"use_regex":{}}})",
      adds_prefix_space, !is_split);
  if (!is_split) return bytes;
  return fmt::format(R"({{"type":"Sequence","pretokenizers":[{},{}]}})", split.Text(), bytes);
}

// Before the text the BOS token, where the configuration says so.
Result<std::string> PostProcessorOf(const TokenizerOverlay& overlay,
                                    const std::vector<AddedToken>& tokens,
                                    const std::string& directory) {
  if (!overlay.adds_bos.value_or(false)) return "null";
  const auto bos = std::ranges::find(tokens, overlay.bos.value_or(""), &AddedToken::content);
  if (bos == tokens.end()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: tokenizer_config.json adds a BOS token, and names none that is "
                            "in the vocabulary",
                            directory));
  }
  JsonWriter name;
  name.Value(bos->content);
  return fmt::format(
      R"({{"type":"TemplateProcessing","single":[{{"SpecialToken":{{"id":{0},"type_id":0}}}},)"
      R"({{"Sequence":{{"id":"A","type_id":0}}}}],"pair":[],)"
      R"("special_tokens":{{{0}:{{"id":{0},"ids":[{1}],"tokens":[{0}]}}}}}})",
      name.Text(), bos->id);
}

}  // namespace

Result<std::optional<std::string>> ComposeTokenizerJson(const std::string& directory,
                                                        const TokenizerOverlay& overlay) {
  const std::string path = JoinPath(directory, "vocab.json");
  const auto vocabulary = TRY(ReadOptionalFile(path, kMaxVocabularyBytes));
  const auto merges = TRY(ReadOptionalFile(JoinPath(directory, "merges.txt"), kMaxVocabularyBytes));
  if (!vocabulary || !merges) return std::nullopt;
  const JsonDocument words = TRY(ParseJson(*vocabulary, path));
  if (!words.IsObject()) return Fail(ErrorKind::kInvalidData, path + " must be an object");
  const ClassPipeline* pipeline = TRY(FindPipeline(overlay, directory));
  const std::vector<AddedToken> tokens =
      AddedTokensOf(TRY(ReadConfiguredTokens(directory)), words, overlay);
  JsonWriter added;
  added.BeginArray();
  for (const AddedToken& token : tokens) Write(added, token);
  added.EndArray();
  return fmt::format(R"({{"version":"1.0","added_tokens":{},"normalizer":{},"pre_tokenizer":{},)"
                     R"("post_processor":{},"decoder":{{"type":"ByteLevel"}},)"
                     R"("model":{{"type":"BPE","vocab":{},"merges":{}}}}})",
                     added.Text(), pipeline->normalizer,
                     PreTokenizerOf(*pipeline, overlay.adds_prefix_space.value_or(false)),
                     TRY(PostProcessorOf(overlay, tokens, directory)), *vocabulary,
                     MergesOf(*merges));
}

}  // namespace couplingd
