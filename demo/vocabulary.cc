#include "demo/vocabulary.h"

#include "base/json.h"

namespace couplingd {
namespace {

constexpr const char* kSpecials[] = {"<s>", "</s>", "<pad>"};

void AppendUtf8(std::string& text, int code_point) {
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else {
    text += static_cast<char>(0xC0 | (code_point >> 6));
    text += static_cast<char>(0x80 | (code_point & 0x3F));
  }
}

// The byte-level alphabet of GPT-2: printable bytes stand for themselves, the others for code
// points from 256 on.
std::string ByteEntry(int byte) {
  const auto is_printable = [](int b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  };
  int code_point = byte;
  if (!is_printable(byte)) {
    code_point = 256;
    for (int other = 0; other < byte; ++other) code_point += !is_printable(other);
  }
  std::string entry;
  AppendUtf8(entry, code_point);
  return entry;
}

}  // namespace

Vocabulary::Vocabulary(const World& world) {
  for (const char* special : kSpecials) entries_[special] = size_++;
  for (int byte = 0; byte < 256; ++byte) entries_[ByteEntry(byte)] = size_++;
  for (const std::string& word : world.BareWords()) {
    const auto [entry, is_new] = entries_.try_emplace(word, size_);  // "." is a byte already
    size_ += is_new;
    bare_[word] = entry->second;
  }
  const std::string blank = ByteEntry(' ');
  for (const std::string& word : world.FollowingWords()) {
    following_[word] = entries_[blank + word] = size_;
    ++size_;
  }
}

std::vector<std::int64_t> Vocabulary::Encode(const std::vector<std::string>& sentence) const {
  std::vector<std::int64_t> ids = {begin_id()};
  for (std::size_t i = 0; i < sentence.size(); ++i) {
    const auto& words = i == 0 || sentence[i] == "." ? bare_ : following_;
    ids.push_back(words.at(sentence[i]));
  }
  ids.push_back(end_id());
  return ids;
}

std::string Vocabulary::TokenizerJson() const {
  JsonWriter json;
  json.BeginObject().Field("version", "1.0").Key("truncation").Null().Key("padding").Null();
  json.Key("added_tokens").BeginArray();
  for (int id = 0; id < 3; ++id) {
    json.BeginObject().Field("id", id).Field("content", kSpecials[id]).Field("single_word", false);
    json.Field("lstrip", false).Field("rstrip", false).Field("normalized", false);
    json.Field("special", true).EndObject();
  }
  json.EndArray().Key("normalizer").Null();
  const auto byte_level = [&](std::string_view key) {
    json.Key(key).BeginObject().Field("type", "ByteLevel").Field("add_prefix_space", false);
    json.Field("trim_offsets", true).Field("use_regex", true).EndObject();
  };
  byte_level("pre_tokenizer");
  json.Key("post_processor").BeginObject().Field("type", "TemplateProcessing");
  for (const char* form : {"single", "pair"}) {
    json.Key(form).BeginArray();
    for (const char* part :
         form == std::string_view("single") ? std::vector{"A"} : std::vector{"A", "B"}) {
      json.BeginObject().Key("SpecialToken").BeginObject().Field("id", "<s>").Field("type_id", 0);
      json.EndObject().EndObject().BeginObject().Key("Sequence").BeginObject().Field("id", part);
      json.Field("type_id", 0).EndObject().EndObject();
    }
    json.EndArray();
  }
  json.Key("special_tokens").BeginObject().Key("<s>").BeginObject().Field("id", "<s>");
  json.Key("ids").BeginArray().Value(0).EndArray();
  json.Key("tokens").BeginArray().Value("<s>").EndArray().EndObject().EndObject().EndObject();
  byte_level("decoder");
  json.Key("model")
      .BeginObject()
      .Field("type", "BPE")
      .Key("dropout")
      .Null()
      .Key("unk_token")
      .Null();
  json.Key("continuing_subword_prefix").Null().Key("end_of_word_suffix").Null();
  json.Field("fuse_unk", false).Field("byte_fallback", false).Field("ignore_merges", true);
  json.Key("vocab").BeginObject();
  for (const auto& [entry, id] : entries_) json.Field(entry, id);
  return json.EndObject().Key("merges").BeginArray().EndArray().EndObject().EndObject().Text();
}

}  // namespace couplingd
