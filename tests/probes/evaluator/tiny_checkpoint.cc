#include "tests/probes/evaluator/tiny_checkpoint.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "tests/probes/model/fixtures.h"

namespace couplingd {
namespace {

namespace fs = std::filesystem;

// Byte-level, without merges: small letters, the space ("Ġ"), the line break ("Ċ"), a few capitals
// and marks.
std::string TokenizerJson() {
  std::string vocabulary = R"("Ġ":0,"Ċ":1)";
  int id = 2;
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyzAQT:.?,")) {
    vocabulary += fmt::format(R"(,"{}":{})", c, id++);
  }
  return fmt::format(
      R"({{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
      "pre_tokenizer":{{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}},
      "post_processor":null,"decoder":null,
      "model":{{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,
      "end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,
      "vocab":{{{}}},"merges":[]}}}})",
      vocabulary);
}

}  // namespace

TinyCheckpoint::TinyCheckpoint() {
  std::string pattern = (fs::temp_directory_path() / "couplingd-evaluator-XXXXXX").string();
  root_ = RealPath(::mkdtemp(pattern.data())).value();
  fs::create_directories(checkpoint());
  fs::create_directories(scores());
  for (const char* name : {"config.json", "model.safetensors"}) {
    fs::copy_file(FixtureDirectory("llama_gqa") + "/" + name, checkpoint() + "/" + name);
  }
  WriteFileAtomically(checkpoint() + "/tokenizer.json", TokenizerJson()).value();
}

TinyCheckpoint::~TinyCheckpoint() { fs::remove_all(root_); }

std::string TinyCheckpoint::Write(const Pack& pack) const {
  const std::string directory = root_ + "/pack-" + pack.name;
  WritePack(pack, directory).value();
  return directory;
}

EvaluationSettings TinyCheckpoint::Settings(const Pack& pack) const {
  return ParseEvaluationSettings(RequestJson(pack)).value();
}

std::string TinyCheckpoint::RequestJson(const Pack& pack, const std::string& device) const {
  JsonWriter json;
  json.BeginObject().Field("checkpoint", checkpoint()).Field("scores_dir", scores());
  json.Key("packs").BeginArray().Value(Write(pack)).EndArray();
  json.Field("device", device).Field("threads", 1).Field("token_budget", 64);
  return json.EndObject().Text();
}

Pack TinyPack() {
  Pack pack{.name = "tiny", .version = "1", .metrics = {"acc_norm", "acc"}, .delimiter = " "};
  const char* questions[] = {"why is it", "who was that", "when", "what is a cat", "where am i",
                             "is it so",  "how",          "no",   "which of them", "did he"};
  for (int i = 0; i < 10; ++i) {
    PackItem item;
    item.id = fmt::format("item-{}", i);
    item.contexts = {fmt::format("Q: true?\nA: yes\nQ: {}?\nA:", questions[i])};
    for (const char* choice : {"yes", "yes, of course", "no", "not that"}) {
      if (item.choices.size() < static_cast<std::size_t>(2 + i % 3)) item.choices.push_back(choice);
    }
    item.labels.assign(item.choices.size(), false);
    item.labels[static_cast<std::size_t>(i) % item.choices.size()] = true;
    pack.items.push_back(item);
  }
  return pack;
}

}  // namespace couplingd
