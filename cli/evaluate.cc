#include "cli/evaluate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/json.h"
#include "base/process.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxLine = 2u << 20;

// Writing to a program that has ended is an error here, not our end.
class IgnoredSigpipe {
 public:
  IgnoredSigpipe() { before_ = std::signal(SIGPIPE, SIG_IGN); }
  ~IgnoredSigpipe() { std::signal(SIGPIPE, before_); }

 private:
  void (*before_)(int);
};

Status WriteAll(FileDescriptor& pipe, std::string_view text) {
  const IgnoredSigpipe ignored;
  while (!text.empty()) {
    const ssize_t written = ::write(pipe.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return std::unexpected(ErrnoError(errno, "write", "stdin of couplingd-probe"));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  pipe.Close();
  return {};
}

// Calls `take` for every line until the end.
Status ReadLines(FileDescriptor& pipe, const std::function<void(std::string_view)>& take) {
  std::string buffer;
  char block[65536];
  while (true) {
    const ssize_t size = ::read(pipe.get(), block, sizeof block);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::unexpected(ErrnoError(errno, "read", "stdout of couplingd-probe"));
    if (size == 0) break;
    buffer.append(block, static_cast<std::size_t>(size));
    std::size_t begin = 0;
    for (std::size_t end; (end = buffer.find('\n', begin)) != std::string::npos; begin = end + 1) {
      take(std::string_view(buffer).substr(begin, end - begin));
    }
    buffer.erase(0, begin);
    if (buffer.size() > kMaxLine) {
      return Fail(ErrorKind::kInvalidData, "couplingd-probe wrote a line without end");
    }
  }
  if (!buffer.empty()) take(buffer);
  return {};
}

void WriteScore(JsonWriter& json, const ImportedResult& about, const Score& score,
                std::optional<double> parameters) {
  json.BeginObject().Field("run", about.run.name).Field("family", about.run.family);
  json.Field("checkpoint", about.checkpoint)
      .Field("step", about.step)
      .Field("tokens", about.tokens);
  json.Field("parameters", parameters).Field("task", score.task).Field("metric", score.metric);
  json.Field("value", score.value)
      .Field("stderr", score.stderr_value)
      .Field("n", score.n)
      .EndObject();
}

}  // namespace

Result<WorkerResult> RunProbe(const std::string& probe, const WorkerRequest& request,
                              const Clock& clock,
                              const std::function<void(const WorkerFrames&)>& on_frame) {
  ProcessOptions options;
  options.arguments = {probe, "evaluate"};
  options.environment = MinimalEnvironment();
  options.pipe_stdin = options.pipe_stdout = true;
  Process process = TRY(Process::Start(options));
  // A probe that ends at once closes its stdin; its frames say more about it than the broken pipe.
  const Status asked = WriteAll(process.stdin_pipe(), ToJson(request));
  WorkerFrames frames(clock);
  TRY(ReadLines(process.stdout_pipe(), [&](std::string_view line) {
    frames.Take(line);
    on_frame(frames);
  }));
  TRY(process.Wait());
  auto result = frames.Finish();
  if (!result && !asked) return std::unexpected(result.error().Within(asked.error().message));
  return result;
}

std::string EvaluationJson(const WorkerResult& result, const ImportedResult& about) {
  JsonWriter json;
  json.BeginObject().Field("checkpoint", about.checkpoint).Field("step", about.step);
  json.Field("model_type", result.model_type).Field("parameters", result.parameters);
  json.Field("device", result.device).Field("dtype", result.dtype).Field("bos", result.bos);
  json.Field("weights_hash", result.weights_hash).Field("tokenizer_hash", result.tokenizer_hash);
  json.Key("scores").BeginArray();
  for (const WorkerPackResult& pack : result.packs) {
    for (const Score& score : pack.scores) WriteScore(json, about, score, result.parameters);
  }
  return json.EndArray().EndObject().Text();
}

std::vector<ImportedResult> ToImport(const WorkerResult& result, const ImportedResult& about,
                                     const EvaluationConfig& config, UnixMillis started_at,
                                     UnixMillis finished_at) {
  std::vector<ImportedResult> results;
  for (Evaluation& evaluation : ToEvaluations(result, config, started_at, finished_at)) {
    ImportedResult& one = results.emplace_back(about);
    one.source = about.checkpoint;
    one.weights_hash = result.weights_hash;
    one.run.parameters = result.parameters;
    one.run.d_model = result.d_model;
    one.evaluation = std::move(evaluation);
  }
  return results;
}

}  // namespace couplingd
