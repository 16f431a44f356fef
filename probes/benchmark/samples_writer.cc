#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/json.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/samples.h"

namespace couplingd {
namespace {

std::string Sha256(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

// repr(float): the shortest text that reads back as the same number, always with a point or an
// exponent.
std::string PythonFloat(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

// json.dumps of one string with ensure_ascii=False.
std::string PythonString(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        quoted += "\\\"";
        break;
      case '\\':
        quoted += "\\\\";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '\t':
        quoted += "\\t";
        break;
      case '\b':
        quoted += "\\b";
        break;
      case '\f':
        quoted += "\\f";
        break;
      default:
        quoted +=
            static_cast<unsigned char>(c) < 0x20 ? fmt::format("\\u{:04x}", c) : std::string(1, c);
    }
  }
  return quoted + '"';
}

template <typename List, typename Text>
std::string PythonList(const List& list, Text text) {
  std::string lines;
  for (const auto& entry : list) lines += (lines.empty() ? "    " : ",\n    ") + text(entry);
  return "[\n" + lines + "\n  ]";
}

// The doc as json.dumps(doc, indent=2, ensure_ascii=False) writes it, which is what lm-eval hashes.
std::string DocText(const PackItem& item) {
  const auto number = [](bool label) { return std::string(label ? "1" : "0"); };
  std::string text = "{\n  \"id\": " + PythonString(item.id);
  if (!item.cluster.empty()) text += ",\n  \"cluster\": " + PythonString(item.cluster);
  text += item.contexts.size() == 1
              ? ",\n  \"context\": " + PythonString(item.contexts[0])
              : ",\n  \"contexts\": " + PythonList(item.contexts, PythonString);
  text += ",\n  \"choices\": " + PythonList(item.choices, PythonString);
  return text + ",\n  \"labels\": " + PythonList(item.labels, number) + "\n}";
}

void WriteResponse(JsonWriter& json, const ChoiceScore& score) {
  json.BeginArray().Value(PythonFloat(score.log_likelihood));
  json.Value(score.is_greedy ? "True" : "False").EndArray();
}

std::string Row(const Pack& pack, std::size_t index, const std::vector<ChoiceScore>& scores,
                const std::vector<MetricResult>& metrics) {
  const PackItem& item = pack.items[index];
  const std::string doc = DocText(item);
  const std::string target =
      fmt::format("{}", std::ranges::find(item.labels, true) - item.labels.begin());
  JsonWriter json;
  json.BeginObject().Field("task", pack.name).Field("doc_id", static_cast<std::int64_t>(index));
  const Result<JsonDocument> parsed = ParseJson(doc, "doc");
  if (parsed) json.Field("doc", static_cast<const JsonValue&>(*parsed));
  json.Field("target", target).Key("arguments").BeginObject();
  for (std::size_t i = 0; i < item.choices.size(); ++i) {
    json.Key(fmt::format("gen_args_{}", i)).BeginObject();
    json.Field("arg_0", item.ContextOf(i)).Field("arg_1", pack.Continuation(item, i)).EndObject();
  }
  json.EndObject().Key("resps").BeginArray();
  for (const ChoiceScore& score : scores) {
    json.BeginArray();
    WriteResponse(json, score);
    json.EndArray();
  }
  json.EndArray().Key("filtered_resps").BeginArray();
  for (const ChoiceScore& score : scores) WriteResponse(json, score);
  json.EndArray().Field("filter", "none").Key("metrics").BeginArray();
  for (const MetricResult& metric : metrics) json.Value(metric.score.metric);
  json.EndArray().Field("doc_hash", Sha256(doc)).Field("prompt_hash", Sha256(item.ContextOf(0)));
  json.Field("target_hash", Sha256(target));
  for (const MetricResult& metric : metrics)
    json.Field(metric.score.metric, metric.per_item[index]);
  json.EndObject();
  return json.Text() + "\n";
}

}  // namespace

Result<std::string> SampleRows(const Pack& pack, const TaskScores& scores,
                               const std::vector<MetricResult>& metrics) {
  if (pack.name != scores.task || pack.items.size() != scores.scores.size()) {
    return BadItem("samples of " + pack.name,
                   fmt::format("the scores are {} items of {}, the pack has {}",
                               scores.scores.size(), scores.task, pack.items.size()));
  }
  for (const MetricResult& metric : metrics) {
    if (metric.per_item.size() != pack.items.size()) {
      return BadItem("samples of " + pack.name,
                     fmt::format("{} is known for {} items of {}", metric.score.metric,
                                 metric.per_item.size(), pack.items.size()));
    }
  }
  std::string rows;
  for (std::size_t i = 0; i < pack.items.size(); ++i) {
    if (scores.scores[i].size() != pack.items[i].choices.size()) {
      return BadItem(
          "samples of " + pack.name,
          fmt::format("item \"{}\" has scores of another number of choices", pack.items[i].id));
    }
    rows += Row(pack, i, scores.scores[i], metrics);
  }
  return rows;
}

}  // namespace couplingd
