#include "queries/loss_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/csv.h"
#include "base/files.h"
#include "base/json.h"
#include "base/numbers.h"
#include "queries/event_logs.h"
#include "queries/loss_series.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxFileBytes = 512u << 20;
constexpr std::array<std::string_view, 6> kStepNames = {
    "step", "_step", "global_step", "iteration", "iter", "trainer/global_step"};
constexpr std::array<std::string_view, 6> kTokenNames = {
    "tokens",          "num_input_tokens_seen", "train/num_input_tokens_seen",
    "consumed_tokens", "tokens_seen",           "n_tokens_seen"};

template <typename Names>
bool IsOneOf(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::optional<double> NumberIn(std::string_view text) {
  text = Trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  return ParseNumber<double>(text);
}

// A whole number of steps.
std::optional<std::int64_t> StepIn(std::optional<double> value) {
  if (!value || !(*value >= 0) || *value > 9e15 || std::nearbyint(*value) != *value) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*value);
}

std::optional<double> MemberNumber(const JsonValue& object, std::string_view key) {
  const JsonValue* value = FindMember(object, key);
  return value && value->IsNumber() ? std::optional(value->GetDouble()) : std::nullopt;
}

// One entry of a log: its step, tokens where it has them, and every other number.
void AddObject(const JsonValue& object, LossCollector& losses) {
  if (!object.IsObject()) return;
  std::optional<std::int64_t> step;
  std::optional<double> tokens;
  for (const std::string_view name : kStepNames) {
    if (!step) step = StepIn(MemberNumber(object, name));
  }
  for (const std::string_view name : kTokenNames) {
    if (!tokens) tokens = MemberNumber(object, name);
  }
  if (!step) return;
  for (const auto& member : object.GetObject()) {
    const std::string_view name(member.name.GetString(), member.name.GetStringLength());
    if (IsOneOf(kStepNames, name) || IsOneOf(kTokenNames, name)) continue;
    if (member.value.IsNumber()) losses.Add(name, *step, member.value.GetDouble(), tokens);
  }
}

Status ReadTrainerState(const JsonValue& document, std::string_view source, LossCollector& losses) {
  const JsonValue* log = FindMember(document, "log_history");
  if (!log || !log->IsArray()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: field \"log_history\" must be a list", source));
  }
  for (const JsonValue& entry : log->GetArray()) AddObject(entry, losses);
  return {};
}

// Calls `visit` with every line and its number, without the line break.
template <typename Visit>
Status ForEachTextLine(std::string_view text, Visit visit) {
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const bool is_last = end == text.size();
    TRY(visit(text.substr(0, end), ++number, is_last));
    text.remove_prefix(is_last ? end : end + 1);
  }
  return {};
}

Status ReadJsonLines(std::string_view text, const std::string& source, LossCollector& losses,
                     std::vector<std::string>& notes) {
  return ForEachTextLine(text, [&](std::string_view line, int number, bool is_last) -> Status {
    if (Trimmed(line).empty()) return {};
    const auto object = ParseJson(line, fmt::format("{}:{}", source, number));
    if (!object && is_last) {
      notes.push_back(fmt::format("{}: its last line is incomplete: left out", source));
      return {};
    }
    if (!object) return std::unexpected(object.error());
    AddObject(*object, losses);
    return {};
  });
}

// " iteration      100/  500000 | consumed samples: 1600 | lm loss: 2.3E+00 | …", whatever stands
// before it.
void AddMegatronLine(std::string_view line, LossCollector& losses) {
  const std::size_t begin = line.find("iteration");
  if (begin == std::string_view::npos || line.find('|', begin) == std::string_view::npos) return;
  const std::string_view head = line.substr(begin + 9, line.find('|', begin) - begin - 9);
  const auto step = StepIn(NumberIn(head.substr(0, head.find('/'))));
  if (!step) return;
  std::optional<double> tokens;
  std::vector<std::pair<std::string_view, double>> values;
  std::string_view rest = line.substr(line.find('|', begin));
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view part = rest.substr(0, rest.find('|'));
    rest.remove_prefix(part.size());
    const std::size_t colon = part.rfind(':');
    const auto value =
        colon == std::string_view::npos ? std::nullopt : NumberIn(part.substr(colon + 1));
    if (!value) continue;
    const std::string_view name = Trimmed(part.substr(0, colon));
    if (name == "consumed tokens") tokens = value;
    values.emplace_back(name, *value);
  }
  for (const auto& [name, value] : values) losses.Add(name, *step, value, tokens);
}

bool IsMegatron(std::string_view text) {
  const std::string_view head = text.substr(0, 1u << 20);
  for (std::size_t at = head.find("iteration"); at != std::string_view::npos;
       at = head.find("iteration", at + 1)) {
    const std::string_view line = head.substr(at, head.find('\n', at) - at);
    if (line.find('|') != std::string_view::npos && line.find("loss") != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

Status ReadCsvLog(std::string_view text, const std::string& source, LossCollector& losses) {
  const std::vector<CsvRow> rows = TRY(ParseCsv(text, source));
  if (rows.empty()) return Fail(ErrorKind::kInvalidData, fmt::format("{}: it is empty", source));
  const std::vector<std::string>& header = rows[0].fields;
  std::optional<std::size_t> step_column, token_column;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const std::string_view name = Trimmed(header[i]);
    if (!step_column && IsOneOf(kStepNames, name)) step_column = i;
    if (!token_column && IsOneOf(kTokenNames, name)) token_column = i;
  }
  if (!step_column) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: it is none of the logs that are known, and as CSV its header has "
                            "no column \"step\"",
                            source),
                "known are trainer_state.json, TensorBoard events, .wandb, JSON lines, Megatron's "
                "log and CSV with the columns step,loss");
  }
  for (std::size_t at = 1; at < rows.size(); ++at) {
    const std::vector<std::string>& fields = rows[at].fields;
    const std::string where = fmt::format("{}:{}", source, rows[at].line);
    if (fields.size() != header.size()) {
      return Fail(ErrorKind::kInvalidData, fmt::format("{}: {} fields, the header has {}", where,
                                                       fields.size(), header.size()));
    }
    const auto step = StepIn(NumberIn(fields[*step_column]));
    if (!step) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}: \"{}\" is no step", where, fields[*step_column]),
                  "steps are whole numbers from 0");
    }
    const auto tokens = token_column ? NumberIn(fields[*token_column]) : std::nullopt;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i == *step_column || (token_column && i == *token_column)) continue;
      if (const auto value = NumberIn(fields[i]))
        losses.Add(Trimmed(header[i]), *step, *value, tokens);
    }
  }
  return {};
}

// Fills the collector and returns the name of the format.
Result<std::string> ReadAny(const std::string& text, const std::string& path, LossCollector& losses,
                            std::vector<std::string>& notes) {
  if (IsWandbFile(text)) {
    TRY(ReadWandb(text, path, losses, notes));
    return "wandb";
  }
  if (IsEventFile(text)) {
    TRY(ReadEvents(text, path, losses, notes));
    return "tensorboard";
  }
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string::npos && text[start] == '{') {
    const std::string_view first_line = std::string_view(text).substr(0, text.find('\n'));
    const bool is_lines = ParseJson(first_line, path, {.max_bytes = kMaxFileBytes}).has_value() &&
                          text.find("\"log_history\"") == std::string::npos;
    if (is_lines) {
      TRY(ReadJsonLines(text, path, losses, notes));
      return "json_lines";
    }
    const JsonDocument document = TRY(ParseJson(text, path, {.max_bytes = kMaxFileBytes}));
    TRY(ReadTrainerState(document, path, losses));
    return "trainer_state";
  }
  if (IsMegatron(text)) {
    TRY(ForEachTextLine(text, [&](std::string_view line, int, bool) -> Status {
      AddMegatronLine(line, losses);
      return {};
    }));
    return "megatron";
  }
  TRY(ReadCsvLog(text, path, losses));
  return "csv";
}

}  // namespace

Result<LossLog> ReadLossLog(const std::string& path, const std::string& key) {
  const std::string text = TRY(ReadFile(path, kMaxFileBytes));
  if (text.empty()) return Fail(ErrorKind::kInvalidData, fmt::format("{}: it is empty", path));
  LossCollector losses(key);
  LossLog log{.source = path};
  log.format = TRY(ReadAny(text, path, losses, log.notes));
  LossCollector::Chosen chosen = TRY(losses.Choose(path));
  log.name = std::move(chosen.name);
  log.points = std::move(chosen.points);
  std::ranges::move(chosen.notes, std::back_inserter(log.notes));
  return log;
}

std::vector<LossPoint> ThinLosses(const std::vector<LossPoint>& points, std::size_t most) {
  if (points.size() <= most) return points;
  std::vector<LossPoint> thinned;
  for (std::size_t group = 0; group < most; ++group) {
    const std::size_t begin = group * points.size() / most,
                      end = (group + 1) * points.size() / most;
    LossPoint mean = points[end - 1];
    mean.loss = 0;
    for (std::size_t i = begin; i < end; ++i) {
      mean.loss += points[i].loss / static_cast<double>(end - begin);
    }
    thinned.push_back(mean);
  }
  return thinned;
}

}  // namespace couplingd
