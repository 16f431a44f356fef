#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "base/files.h"
#include "base/numbers.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/metrics.h"
#include "probes/benchmark/samples.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

struct SampleRow {
  PackItem item;  // choices are whole continuations
  std::string filter;
  std::string task;  // empty: the rows do not say
};

std::string IdText(const JsonValue& value) {
  if (value.IsString()) return {value.GetString(), value.GetStringLength()};
  return value.IsInt64() ? fmt::format("{}", value.GetInt64()) : "";
}

// One request: {"arg_0": context, "arg_1": continuation}, or [context, continuation] in older
// files.
Status ReadArgument(const JsonValue& argument, const std::string& where, PackItem& item) {
  const JsonValue* context = nullptr;
  const JsonValue* continuation = nullptr;
  if (argument.IsObject()) {
    context = FindMember(argument, "arg_0");
    continuation = FindMember(argument, "arg_1");
  } else if (argument.IsArray() && argument.Size() == 2) {
    context = &argument[0];
    continuation = &argument[1];
  }
  if (!context || !continuation || !context->IsString() || !continuation->IsString()) {
    return BadItem(where, "an entry of \"arguments\" is no pair of context and continuation",
                   "only multiple-choice tasks have log-likelihood requests");
  }
  item.contexts.emplace_back(context->GetString(), context->GetStringLength());
  item.choices.emplace_back(continuation->GetString(), continuation->GetStringLength());
  return {};
}

Status ReadArguments(const JsonValue& row, const std::string& where, PackItem& item) {
  const JsonValue* arguments = FindMember(row, "arguments");
  if (!arguments || (!arguments->IsObject() && !arguments->IsArray())) {
    return BadItem(where, "field \"arguments\" is missing or neither an object nor a list");
  }
  if (arguments->IsArray()) {
    if (arguments->Size() > kMaxChoices) return BadItem(where, "too many entries in \"arguments\"");
    for (const JsonValue& argument : arguments->GetArray())
      TRY(ReadArgument(argument, where, item));
  } else {
    for (std::size_t i = 0; i < arguments->MemberCount(); ++i) {
      const JsonValue* argument = FindMember(*arguments, fmt::format("gen_args_{}", i));
      if (!argument || i == kMaxChoices) {
        return BadItem(where, fmt::format("\"arguments\" has no gen_args_{} among its {}", i,
                                          arguments->MemberCount()));
      }
      TRY(ReadArgument(*argument, where, item));
    }
  }
  return {};
}

std::optional<std::vector<bool>> LabelsIn(const JsonValue* object, std::size_t choices) {
  const JsonValue* list = object ? FindMember(*object, "labels") : nullptr;
  if (!list || !list->IsArray() || list->Size() != choices) return std::nullopt;
  std::vector<bool> labels;
  for (const JsonValue& label : list->GetArray()) {
    if (!label.IsInt() || label.GetInt() < 0 || label.GetInt() > 1) return std::nullopt;
    labels.push_back(label.GetInt() == 1);
  }
  return labels;
}

std::optional<std::size_t> IndexIn(const JsonValue* value, std::size_t choices) {
  if (!value) return std::nullopt;
  std::int64_t index = -1;
  if (value->IsInt64()) index = value->GetInt64();
  if (value->IsString())
    index = ParseNumber<std::int64_t>({value->GetString(), value->GetStringLength()}).value_or(-1);
  if (index < 0 || index >= static_cast<std::int64_t>(choices)) return std::nullopt;
  return static_cast<std::size_t>(index);
}

// The choice whose text `target` is, blanks around both left out; none where several are.
std::optional<std::size_t> ChoiceNamed(const JsonValue* target, const PackItem& item) {
  if (!target || !target->IsString()) return std::nullopt;
  const std::string_view text = Strip({target->GetString(), target->GetStringLength()});
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < item.choices.size(); ++i) {
    if (Strip(item.choices[i]) != text) continue;
    if (found) return std::nullopt;
    found = i;
  }
  return found;
}

std::optional<std::size_t> WinograndeAnswer(const JsonValue* doc) {
  const JsonValue* answer = doc ? FindMember(*doc, "answer") : nullptr;
  if (!answer || !answer->IsString()) return std::nullopt;
  const std::string_view text(answer->GetString(), answer->GetStringLength());
  return text == "1"   ? std::optional<std::size_t>(0)
         : text == "2" ? std::optional<std::size_t>(1)
                       : std::nullopt;
}

Result<std::vector<bool>> FindLabels(const JsonValue& row, const PackItem& item,
                                     const std::string& where) {
  const std::size_t n = item.choices.size();
  const JsonValue* doc = FindMember(row, "doc");
  const JsonValue* mc1 = doc ? FindMember(*doc, "mc1_targets") : nullptr;
  const JsonValue* mc2 = doc ? FindMember(*doc, "mc2_targets") : nullptr;
  if (auto labels = LabelsIn(doc, n)) return *labels;
  // Both tasks of TruthfulQA carry both lists; the one whose texts were asked is meant.
  for (const JsonValue* targets : {mc1, mc2}) {
    const JsonValue* texts = targets ? FindMember(*targets, "choices") : nullptr;
    if (!texts || !texts->IsArray() || texts->Size() != n) continue;
    bool same = true;
    for (std::size_t i = 0; i < n && same; ++i) {
      const JsonValue& text = (*texts)[static_cast<rapidjson::SizeType>(i)];
      same = text.IsString() &&
             Strip(item.choices[i]) == Strip({text.GetString(), text.GetStringLength()});
    }
    if (auto labels = LabelsIn(targets, n); same && labels) return *labels;
  }
  const JsonValue* target = FindMember(row, "target");
  std::optional<std::size_t> gold;
  const bool contexts_differ =
      std::ranges::adjacent_find(item.contexts, std::not_equal_to<>()) != item.contexts.end();
  if (contexts_differ) gold = WinograndeAnswer(doc);
  if (!gold) gold = IndexIn(target, n);
  if (!gold) gold = ChoiceNamed(target, item);
  if (!gold) {
    return BadItem(where, "\"target\" names no choice, and \"doc\" has no labels",
                   fmt::format("it must be an index below {} or the text of one choice", n));
  }
  std::vector<bool> labels(n, false);
  labels[*gold] = true;
  return labels;
}

// Python's float and bool as they stand in JSON or as text.
std::optional<double> NumberIn(const JsonValue& value) {
  if (value.IsNumber()) return value.GetDouble();
  if (!value.IsString()) return std::nullopt;
  return ParseNumber<double>({value.GetString(), value.GetStringLength()});
}

std::optional<bool> FlagIn(const JsonValue& value) {
  if (value.IsBool()) return value.GetBool();
  if (!value.IsString()) return std::nullopt;
  const std::string_view text(value.GetString(), value.GetStringLength());
  if (text != "True" && text != "False") return std::nullopt;
  return text == "True";
}

// [log-likelihood, greedy] per choice; "resps" wraps each into a list of repeats.
Result<std::vector<ChoiceScore>> ReadResponses(const JsonValue& row, std::size_t choices,
                                               const std::string& where) {
  const JsonValue* filtered = FindMember(row, "filtered_resps");
  const JsonValue* list = filtered ? filtered : FindMember(row, "resps");
  if (!list || !list->IsArray() || list->Size() != choices) {
    return BadItem(where, fmt::format("\"filtered_resps\" is no list of {} responses", choices));
  }
  std::vector<ChoiceScore> scores;
  for (const JsonValue& entry : list->GetArray()) {
    const bool is_wrapped = entry.IsArray() && entry.Size() == 1 && entry[0].IsArray();
    const JsonValue& response = is_wrapped ? entry[0] : entry;
    const bool is_pair = response.IsArray() && response.Size() == 2;
    const auto value = is_pair ? NumberIn(response[0]) : std::nullopt;
    const auto flag = is_pair ? FlagIn(response[1]) : std::nullopt;
    if (!value || !flag || !std::isfinite(*value)) {
      return BadItem(where, fmt::format("response {} is no pair of a finite log-likelihood and a "
                                        "greedy flag",
                                        scores.size()));
    }
    scores.push_back({*value, *flag});
  }
  return scores;
}

std::string ClusterIn(const JsonValue& row) {
  const JsonValue* doc = FindMember(row, "doc");
  for (const char* key : {"subject", "category"}) {
    const JsonValue* value = doc ? FindMember(*doc, key) : nullptr;
    if (value && value->IsString()) return {value->GetString(), value->GetStringLength()};
  }
  return "";
}

Result<SampleRow> ReadRow(const JsonValue& object, const std::string& where) {
  SampleRow row;
  const JsonValue* id = FindMember(object, "doc_id");
  if (id) row.item.id = IdText(*id);
  if (row.item.id.empty())
    return BadItem(where, "field \"doc_id\" must be a whole number or a text");
  row.filter = TRY(FindString(object, "filter", where)).value_or("");
  row.task = TRY(FindString(object, "task", where)).value_or("");
  row.item.cluster = ClusterIn(object);
  TRY(ReadArguments(object, where, row.item));
  row.item.labels =
      row.item.choices.size() == 1 ? std::vector{true} : TRY(FindLabels(object, row.item, where));
  if (std::ranges::adjacent_find(row.item.contexts, std::not_equal_to<>()) ==
      row.item.contexts.end()) {
    row.item.contexts.resize(1);
  }
  return row;
}

// "samples_arc_easy_2025-03-01T10-00-00.123456.jsonl": what stands between the first underscore and
// the last.
std::string TaskIn(const std::string& path) {
  std::string name = BaseName(path);
  if (name.ends_with(".jsonl")) name.resize(name.size() - 6);
  if (name.starts_with("samples_")) {
    name = name.substr(8);
    const std::size_t last = name.rfind('_');
    const bool has_date = last != std::string::npos && last + 5 < name.size() &&
                          std::all_of(name.begin() + last + 1, name.begin() + last + 5,
                                      [](unsigned char c) { return std::isdigit(c); });
    if (has_date) name.resize(last);
  }
  std::ranges::replace_if(
      name, [](unsigned char c) { return c <= 0x20 || c == '.' || c == 0x7F; }, '_');
  return name;
}

std::vector<std::string> MetricsFor(const Pack& pack) {
  const auto has_one = [](const PackItem& item) {
    return std::ranges::count(item.labels, true) == 1;
  };
  if (pack.name == "truthfulqa_mc2" || IsOneTextTask(pack.name)) return {"acc"};
  if (pack.name.starts_with("crows_pairs")) {
    return {"pct_stereotype", "unstereotyped", "likelihood_diff"};
  }
  if (!std::ranges::all_of(pack.items, has_one)) return {"true_mass", "acc"};
  const bool shared_context = std::ranges::all_of(
      pack.items, [](const PackItem& item) { return item.contexts.size() == 1; });
  if (!shared_context || pack.name == "truthfulqa_mc1" || pack.name.starts_with("mmlu"))
    return {"acc"};
  return pack.name == "hellaswag" || pack.name == "arc_challenge"
             ? std::vector<std::string>{"acc_norm", "acc"}
             : std::vector<std::string>{"acc", "acc_norm"};
}

// Few clusters say nothing about the spread between clusters.
void DropFewClusters(std::vector<PackItem>& items) {
  constexpr std::size_t kFewest = 10;
  std::set<std::string> clusters;
  for (const PackItem& item : items) clusters.insert(item.cluster);
  if (clusters.size() >= kFewest) return;
  for (PackItem& item : items) item.cluster.clear();
}

// `scores` is filled in parallel where it is asked for; rows of other tasks than `task` are passed
// over where one is named.
Result<Pack> ReadItems(const std::string& path, std::vector<std::vector<ChoiceScore>>* scores,
                       const std::string& task = "") {
  Pack pack = {.version = "samples", .delimiter = " ", .sources = {BaseName(path)}};
  std::optional<std::string> filter;
  std::set<std::string> ids;
  TRY(ForEachLine(path, [&](const JsonValue& object, const std::string& where) -> Status {
    const auto row_task = TRY(FindString(object, "task", where));
    if (!task.empty() && row_task && *row_task != task) return {};
    SampleRow row = TRY(ReadRow(object, where));
    if (!filter) filter = row.filter, pack.name = row.task;
    if (row.filter != *filter) return {};
    const bool is_one_text = IsOneTextTask(row.task.empty() ? TaskIn(path) : row.task);
    if (row.item.choices.size() < (is_one_text ? 1 : 2)) {
      return BadItem(
          where, fmt::format("doc_id {} has {} requests; a multiple-choice item has two or more",
                             row.item.id, row.item.choices.size()));
    }
    if (row.task != pack.name) {
      return BadItem(where,
                     fmt::format("a row of task \"{}\" in a file of \"{}\"", row.task, pack.name),
                     "keep each task's rows in a file of their own");
    }
    if (!ids.insert(row.item.id).second) {
      return BadItem(where, fmt::format("doc_id {} stands twice", row.item.id),
                     "lm-eval appends to the file of an earlier run; keep the rows of one run");
    }
    if (scores) scores->push_back(TRY(ReadResponses(object, row.item.choices.size(), where)));
    pack.items.push_back(std::move(row.item));
    return {};
  }));
  if (pack.items.empty()) {
    return Fail(ErrorKind::kNotFound, fmt::format("{}: no row of task \"{}\"", path, task));
  }
  const auto is_spaced = [](const PackItem& item) {
    return std::ranges::all_of(item.choices,
                               [](const std::string& c) { return c.starts_with(' '); });
  };
  if (std::ranges::all_of(pack.items, is_spaced)) {
    for (PackItem& item : pack.items) {
      for (std::string& choice : item.choices) choice.erase(0, 1);
    }
  } else {
    pack.delimiter.clear();
  }
  if (pack.name.empty()) pack.name = TaskIn(path);
  DropFewClusters(pack.items);
  pack.metrics = MetricsFor(pack);
  TRY(CheckPack(pack, path));
  return pack;
}

}  // namespace

Result<Pack> ReadSamples(const std::string& path) { return ReadItems(path, nullptr); }

Result<SampledTask> ReadSampleScores(const std::string& path) { return ReadSampleScores(path, ""); }

Result<SampledTask> ReadSampleScores(const std::string& path, const std::string& name) {
  std::vector<std::vector<ChoiceScore>> scores;
  SampledTask task{.pack = TRY(ReadItems(path, &scores, name))};
  std::vector<std::size_t> order(task.pack.items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) {
    const std::string& id = task.pack.items[i].id;
    return std::pair(id.size(), id);
  });
  std::vector<PackItem> items;
  task.scores.task = task.pack.name;
  for (const std::size_t i : order) {
    items.push_back(std::move(task.pack.items[i]));
    task.scores.scores.push_back(std::move(scores[i]));
  }
  task.pack.items = std::move(items);
  return task;
}

}  // namespace couplingd
