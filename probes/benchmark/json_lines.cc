#include "probes/benchmark/json_lines.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "base/utf8.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

std::string_view NextLine(std::string_view text, std::size_t& position) {
  const std::size_t end = std::min(text.find('\n', position), text.size());
  const std::string_view line = text.substr(position, end - position);
  position = end + 1;
  return line;
}

using Visit = std::function<Status(const JsonValue& object, const std::string& where)>;

Result<std::string> ReadText(const std::string& path) {
  std::string text = TRY(ReadFile(path, kMaxItemFileBytes));
  TRY(CheckTextFile(text, path));
  return text;
}

Status VisitLines(std::string_view text, const std::string& path, const Visit& visit) {
  std::size_t number = 1, objects = 0;
  for (std::size_t position = 0; position < text.size(); ++number) {
    const std::string_view line = NextLine(text, position);
    if (Strip(line).empty()) continue;
    const std::string where = fmt::format("{}:{}", path, number);
    const JsonDocument object = TRY(ParseJson(line, where, {.max_bytes = kMaxLineBytes}));
    if (!object.IsObject()) return BadItem(where, "a line must be a JSON object");
    TRY(visit(object, where));
    ++objects;
  }
  if (objects == 0) return BadItem(path, "no item in the file");
  return {};
}

}  // namespace

std::unexpected<Error> BadItem(std::string_view where, std::string_view cause,
                               std::string_view hint) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", where, cause), std::string(hint));
}

Status ForEachLine(const std::string& path, const Visit& visit) {
  return VisitLines(TRY(ReadText(path)), path, visit);
}

Status ForEachObject(const std::string& path, const Visit& visit) {
  const std::string text = TRY(ReadText(path));
  if (!Strip(text).starts_with('[')) return VisitLines(text, path, visit);
  const JsonDocument list = TRY(ParseJson(text, path, {.max_bytes = kMaxItemFileBytes}));
  if (list.Empty()) return BadItem(path, "no item in the file");
  std::size_t number = 1;
  for (const JsonValue& object : list.GetArray()) {
    const std::string where = fmt::format("{}: entry {}", path, number++);
    if (!object.IsObject()) return BadItem(where, "an entry must be a JSON object");
    TRY(visit(object, where));
  }
  return {};
}

Result<JsonDocument> FirstLine(const std::string& path) {
  const std::string text = TRY(ReadText(path));
  std::size_t number = 1;
  for (std::size_t position = 0; position < text.size(); ++number) {
    const std::string_view line = NextLine(text, position);
    if (Strip(line).empty()) continue;
    return ParseJson(line, fmt::format("{}:{}", path, number), {.max_bytes = kMaxLineBytes});
  }
  return BadItem(path, "no item in the file");
}

Result<std::vector<std::string>> GetStrings(const JsonValue& object, std::string_view key,
                                            const std::string& where) {
  const JsonValue* list = FindMember(object, key);
  if (!list) return BadItem(where, fmt::format("field \"{}\" is missing", key));
  const auto is_string = [](const JsonValue& value) { return value.IsString(); };
  if (!list->IsArray() || !std::all_of(list->Begin(), list->End(), is_string)) {
    return BadItem(where, fmt::format("field \"{}\" must be a list of strings", key));
  }
  if (list->Size() > kMaxChoices) {
    return BadItem(where, fmt::format("field \"{}\" has {} entries, at most {} are read", key,
                                      list->Size(), kMaxChoices));
  }
  std::vector<std::string> strings;
  for (const JsonValue& value : list->GetArray()) {
    strings.emplace_back(value.GetString(), value.GetStringLength());
  }
  return strings;
}

}  // namespace couplingd
