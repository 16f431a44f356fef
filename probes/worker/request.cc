#include "probes/worker/request.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"

namespace couplingd {
namespace {

constexpr std::string_view kSource = "request";

Result<std::string> RealPathOf(std::string_view field, const std::string& path) {
  Result<std::string> real = RealPath(path);
  if (!real)
    return std::unexpected(real.error().Within(fmt::format("request: field \"{}\"", field)));
  return real;
}

Result<std::string> OptionalPath(const JsonValue& document, std::string_view field) {
  const auto path = TRY(FindString(document, field, kSource));
  if (!path || path->empty()) return std::string();
  return RealPathOf(field, *path);
}

Result<std::vector<std::string>> Paths(const JsonValue& document, std::string_view field) {
  std::vector<std::string> paths;
  const JsonValue* values = FindMember(document, field);
  if (!values) return paths;
  const auto wrong = [&] {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("request: field \"{}\" must be an array of paths", field));
  };
  if (!values->IsArray()) return wrong();
  for (const JsonValue& value : values->GetArray()) {
    if (!value.IsString()) return wrong();
    paths.push_back(TRY(RealPathOf(field, {value.GetString(), value.GetStringLength()})));
  }
  return paths;
}

// A file that does not exist yet: its directory is resolved.
Result<std::string> FileToWrite(const JsonValue& document, std::string_view field) {
  const auto path = TRY(FindString(document, field, kSource));
  if (!path || path->empty()) return std::string();
  return JoinPath(TRY(RealPathOf(field, DirectoryName(*path))), BaseName(*path));
}

template <typename T>
Result<std::optional<T>> Positive(const JsonValue& document, std::string_view field) {
  const auto value = TRY(FindInt(document, field, kSource));
  if (value && *value < 0) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("request: field \"{}\" must not be negative", field));
  }
  if (!value || *value == 0) return std::nullopt;
  return static_cast<T>(*value);
}

Status CheckWithinRoots(const EvaluateRequest& request, const std::string& named) {
  if (request.read_roots.empty()) return {};
  const auto allows = [&](const std::string& root) { return IsWithin(request.checkpoint, root); };
  if (std::ranges::any_of(request.read_roots, allows)) return {};
  return Fail(ErrorKind::kPermission,
              fmt::format("{} leads to {}, outside the directories that may be read", named,
                          request.checkpoint),
              "add the directory that holds it to the allowed roots (read_roots)");
}

}  // namespace

std::vector<std::string> EvaluateRequest::Readable() const {
  std::vector<std::string> paths = packs;
  for (const std::string& path : {checkpoint, model_config, tokenizer}) {
    if (!path.empty()) paths.push_back(path);
  }
  paths.insert(paths.end(), read_roots.begin(), read_roots.end());
  return paths;
}

bool CanFollow(const EvaluateRequest& first, const EvaluateRequest& next) {
  const std::vector<std::string> open = first.Readable();
  const auto is_open = [&](const std::string& path) {
    return std::ranges::any_of(open, [&](const std::string& root) { return IsWithin(path, root); });
  };
  return std::ranges::all_of(next.Readable(), is_open) && first.scores_dir == next.scores_dir &&
         first.samples.empty() && next.samples.empty() && first.threads == next.threads &&
         first.memory_limit_bytes == next.memory_limit_bytes;
}

std::string EvaluateRequest::Json() const {
  JsonWriter json;
  json.BeginObject();
  json.Field("checkpoint", checkpoint).Field("device", device).Field("scores_dir", scores_dir);
  const auto or_null = [&](std::string_view key, const std::string& value) {
    json.Key(key);
    value.empty() ? json.Null() : json.Value(value);
  };
  json.Field("device_free_bytes", static_cast<std::int64_t>(device_free_bytes));
  or_null("model_config", model_config);
  or_null("tokenizer", tokenizer);
  or_null("samples", samples);
  const auto array = [&](std::string_view key, const std::vector<std::string>& values) {
    json.Key(key).BeginArray();
    for (const std::string& value : values) json.Value(value);
    json.EndArray();
  };
  array("packs", packs);
  array("read_roots", read_roots);
  constexpr std::string_view kOwn[] = {"checkpoint", "device",       "device_free_bytes",
                                       "scores_dir", "model_config", "tokenizer",
                                       "samples",    "packs",        "read_roots"};
  for (const auto& member : document.GetObject()) {
    const std::string_view key(member.name.GetString(), member.name.GetStringLength());
    if (std::ranges::find(kOwn, key) == std::end(kOwn)) json.Key(key).Value(member.value);
  }
  return json.EndObject().Text();
}

Result<EvaluateRequest> ParseEvaluateRequest(std::string_view text) {
  EvaluateRequest request;
  request.document = TRY(ParseJson(text, kSource, {.max_bytes = 16u << 20, .max_depth = 8}));
  const JsonValue& document = request.document;
  if (!document.IsObject()) return Fail(ErrorKind::kInvalidData, "request: must be a JSON object");
  const std::string named = TRY(GetString(document, "checkpoint", kSource));
  request.checkpoint = TRY(RealPathOf("checkpoint", named));
  request.model_config = TRY(OptionalPath(document, "model_config"));
  request.tokenizer = TRY(OptionalPath(document, "tokenizer"));
  request.packs = TRY(Paths(document, "packs"));
  request.read_roots = TRY(Paths(document, "read_roots"));
  const std::string scores_dir = TRY(GetString(document, "scores_dir", kSource));
  TRY(MakeDirectories(scores_dir));
  request.scores_dir = TRY(RealPathOf("scores_dir", scores_dir));
  request.samples = TRY(FileToWrite(document, "samples"));
  request.device = TRY(FindString(document, "device", kSource)).value_or("auto");
  request.threads = TRY(Positive<int>(document, "threads")).value_or(0);
  request.memory_limit_bytes = TRY(Positive<std::uint64_t>(document, "memory_limit_bytes"));
  request.timeout_s = TRY(Positive<std::int64_t>(document, "timeout_s"));
  request.grace_ms = TRY(Positive<std::int64_t>(document, "grace_ms"));
  TRY(CheckWithinRoots(request, named));
  return request;
}

}  // namespace couplingd
