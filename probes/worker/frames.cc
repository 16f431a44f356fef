#include "probes/worker/frames.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/json.h"

namespace couplingd {

std::string ErrorFrame(const Error& error, bool out_of_memory) {
  JsonWriter json;
  json.BeginObject().Field("frame", "error").Field("kind", ToString(error.kind));
  json.Field("message", error.message).Field("hint", error.hint);
  json.Field("retryable", error.retryable).Field("oom", out_of_memory);
  return json.EndObject().Text();
}

std::string NoteFrame(std::string_view topic, std::string_view text) {
  JsonWriter json;
  json.BeginObject().Field("frame", "note").Field("topic", topic).Field("text", text).EndObject();
  return json.Text();
}

std::string SandboxFrame(const std::vector<Measure>& measures) {
  std::string missing;
  for (const Measure& measure : measures) {
    if (!measure.applied) missing += fmt::format("; no {}: {}", measure.name, measure.detail);
  }
  JsonWriter json;
  json.BeginObject().Field("frame", "note").Field("topic", "sandbox");
  json.Field("text",
             missing.empty() ? std::string("sandbox complete") : "sandbox with gaps" + missing);
  json.Key("measures").BeginArray();
  for (const Measure& measure : measures) {
    json.BeginObject().Field("name", measure.name).Field("applied", measure.applied);
    json.Field("detail", measure.detail).EndObject();
  }
  return json.EndArray().EndObject().Text();
}

std::string IdleFrame() { return R"({"frame":"idle"})"; }

std::string ToJson(const ExitFrame& frame) {
  JsonWriter json;
  json.BeginObject().Field("frame", "exit").Field("code", frame.code).Field("signal", frame.signal);
  json.Field("text", frame.text).Field("oom", frame.out_of_memory);
  json.Field("max_rss_bytes", frame.max_rss_bytes).EndObject();
  return json.Text();
}

Status FrameWriter::Write(std::string_view json) {
  if (json.size() >= kMaxFrameBytes || json.find('\n') != std::string_view::npos) {
    return Fail(ErrorKind::kInternal,
                fmt::format("a frame of {} bytes does not fit one line", json.size()));
  }
  std::string line(json);
  line += '\n';
  const std::lock_guard lock(mutex_);
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return Fail(ErrorKind::kUnavailable, fmt::format("write a frame: {}", std::strerror(errno)));
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace couplingd
