#include "cli/foreground.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/files.h"
#include "base/units.h"
#include "cli/import_submit.h"
#include "cli/screen_text.h"
#include "records/checkpoint_names.h"

namespace couplingd {
namespace {

// A line on stderr that is rewritten while the evaluation goes on.
class Progress {
 public:
  Progress(const CommandContext& context, bool quiet)
      : context_(context), shown_(!quiet && context.terminal.err_is_terminal), quiet_(quiet) {}

  void Show(const WorkerFrames& frames) {
    for (; notes_ < frames.notes().size() && !quiet_; ++notes_) {
      Clear();
      context_.Say(Printable(frames.notes()[notes_]) + "\n");
    }
    const int percent = static_cast<int>(100 * frames.progress());
    std::string bar(static_cast<std::size_t>(percent / 4), '#');
    bar.resize(25, '.');
    std::string line = fmt::format("[{}] {:3d}% {}", bar, percent, Printable(frames.task()));
    if (const auto left = frames.Left()) line += fmt::format(", {} left", RoughSpan(*left));
    if (!shown_ || line == line_) return;
    context_.terminal.err << "\r\x1b[K" << line << std::flush;
    line_ = std::move(line);
    drawn_ = true;
  }
  void Clear() {
    if (std::exchange(drawn_, false)) context_.terminal.err << "\r\x1b[K" << std::flush;
    line_.clear();
  }

 private:
  const CommandContext& context_;
  const bool shown_, quiet_;
  std::size_t notes_ = 0;
  std::string line_;  // as it stands there
  bool drawn_ = false;
};

// The run and step that the result belongs to.
ImportedResult About(const ForegroundOptions& options, const std::string& checkpoint) {
  ImportedResult about;
  const auto named_step = StepOfFolder(BaseName(checkpoint));
  about.checkpoint = checkpoint;
  about.step = options.step.value_or(named_step.value_or(0));
  about.run.name = !options.run.empty()
                       ? options.run
                       : BaseName(named_step ? DirectoryName(checkpoint) : checkpoint);
  about.run.family = options.family.empty() ? about.run.name : options.family;
  return about;
}

bool CopyScoreFiles(const std::string& from, const std::string& scores_directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(from, error)) {
    if (entry.path().filename().string().starts_with('.')) continue;  // plans for the next time
    const auto content = ReadFile(entry.path().string(), 1u << 30);
    if (!content) return false;
    const std::string target = JoinPath(scores_directory, entry.path().filename().string());
    if (!WriteFileAtomically(target, *content, 0600)) return false;
  }
  return !error;
}

Result<std::string> Record(const CommandContext& context, std::vector<ImportedResult> results,
                           const std::string& scores) {
  const Places places = TRY(FindPlaces(context.source, context.services));
  if (places.database.empty()) {
    return Fail(ErrorKind::kUsage,
                "--record needs the configuration or the database, not the socket alone");
  }
  const auto folder = TRY(WritableScoresFolder(places, context.services));
  const bool kept = folder && CopyScoreFiles(scores, *folder);
  for (ImportedResult& result : results) {
    if (!kept) result.evaluation.plan_hash = result.evaluation.scores_hash = "";
  }
  const ImportSummary summary = TRY(SubmitImport(places, context.services, results));
  return fmt::format("recorded as run {} step {}: {} new, {} already there{}\n",
                     results[0].run.name, results[0].step, summary.recorded, summary.unchanged,
                     kept ? "" : "; without the raw scores, as their folder cannot be written");
}

}  // namespace

void ForegroundOptions::AddTo(CLI::App& verb) {
  verb.add_option("--device", device, "auto, cpu, cuda:INDEX or cuda:GPU-UUID");
  verb.add_option("--dtype", dtype, "auto, fp32, bf16 or fp16")
      ->check(CLI::IsMember({"auto", "fp32", "bf16", "fp16"}));
  verb.add_option("--bos", bos, "auto, true or false")
      ->check(CLI::IsMember({"auto", "true", "false"}));
  verb.add_option("--threads", threads, "CPU threads")->check(CLI::Range(0, 4096));
  verb.add_option("--token-budget", token_budget, "Tokens that are forwarded at once")
      ->check(CLI::Range(0, 1 << 24));
  verb.add_option("--memory", memory, "Most memory, such as 8GiB");
  verb.add_option("--timeout", timeout, "Longest time, such as 2h");
  verb.add_option("--model-config", model_config, "config.json, where the checkpoint carries none");
  verb.add_option("--tokenizer", tokenizer,
                  "Directory with the tokenizer, where the checkpoint carries none");
  verb.add_option("--read-root", read_roots,
                  "Directory that links in the checkpoint may lead into (repeatable)");
  verb.add_option("--probe", probe, "couplingd-probe; by default the one beside this program");
  verb.add_flag("--record", record, "Record the result in the history");
  verb.add_option("--run", run, "Run it is recorded under; by default the directory's name");
  verb.add_option("--family", family, "Family of that run");
  verb.add_option("--step", step, "Its step, where the directory's name does not tell");
  verb.add_option("--tokens", tokens, "Tokens seen up to it, such as 2.1B");
  verb.add_flag("--quiet,-q", quiet, "No progress and no notes");
}

Result<ScratchFolder> ScratchFolder::Make(const CliServices& services) {
  const auto variable = services.environment.find("TMPDIR");
  std::string path = JoinPath(variable == services.environment.end() ? "/tmp" : variable->second,
                              "couplingctl-XXXXXX");
  if (!::mkdtemp(path.data())) return std::unexpected(ErrnoError(errno, "make", path));
  return ScratchFolder(TRY(RealPath(path)));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

std::string ScratchFolder::Sub(std::string_view name) const { return JoinPath(path_, name); }

Result<WorkerRequest> MakeForegroundRequest(const ForegroundOptions& options,
                                            const std::optional<Config>& config,
                                            const ScratchFolder& scratch) {
  WorkerRequest request;
  request.checkpoint = TRY(RealPath(options.directory));
  if (!options.model_config.empty()) request.model_config = TRY(RealPath(options.model_config));
  if (!options.tokenizer.empty()) request.tokenizer = TRY(RealPath(options.tokenizer));
  EvaluationConfig& evaluation = request.evaluation;
  if (config) evaluation = config->evaluation;
  evaluation.device = options.device.value_or(evaluation.device);
  evaluation.dtype = options.dtype.value_or(evaluation.dtype);
  evaluation.bos = options.bos.value_or(evaluation.bos);
  evaluation.threads = options.threads.value_or(evaluation.threads);
  evaluation.token_budget = options.token_budget.value_or(evaluation.token_budget);
  if (!options.memory.empty()) evaluation.memory_limit = TRY(ParseSize(options.memory));
  if (!options.timeout.empty()) evaluation.timeout = TRY(ParseDuration(options.timeout));
  request.scores_dir = scratch.Sub("scores");
  TRY(MakeDirectories(request.scores_dir));
  for (const std::string& root : options.read_roots) {
    request.read_roots.push_back(TRY(RealPath(root)));
  }
  if (!request.read_roots.empty()) request.read_roots.push_back(request.checkpoint);
  return request;
}

Result<std::optional<Places>> ForegroundPlaces(const CommandContext& context,
                                               const ForegroundOptions& options) {
  auto places = FindPlaces(context.source, context.services);
  if (places) return std::optional(std::move(*places));
  if (!context.source.config.empty() || options.record) return std::unexpected(places.error());
  return std::nullopt;
}

Result<ForegroundResult> RunInForeground(const CommandContext& context,
                                         const ForegroundOptions& options,
                                         const WorkerRequest& request) {
  const std::string probe = options.probe.empty()
                                ? JoinPath(context.services.program_directory, "couplingd-probe")
                                : options.probe;
  ForegroundResult result{.about = About(options, request.checkpoint)};
  if (!options.tokens.empty()) result.about.tokens = TRY(ParseCount(options.tokens));
  Progress progress(context, options.quiet);
  result.started_at = context.services.clock.Now();
  auto worker = RunProbe(probe, request, context.services.clock,
                         [&](const WorkerFrames& frames) { progress.Show(frames); });
  progress.Clear();
  result.worker = TRY(std::move(worker));
  result.finished_at = context.services.clock.Now();
  return result;
}

Status CheckRecordable(const ForegroundOptions& options) {
  if (!options.record || options.step || StepOfFolder(BaseName(TRY(RealPath(options.directory)))))
    return {};
  return Fail(ErrorKind::kUsage,
              "--record needs to know the step, and the directory's name does not tell",
              "add --step N");
}

Status RecordForeground(const CommandContext& context, const ForegroundOptions& options,
                        const WorkerRequest& request, const ForegroundResult& result) {
  if (!options.record) return {};
  context.Say(TRY(Record(context,
                         ToImport(result.worker, result.about, request.evaluation,
                                  result.started_at, result.finished_at),
                         request.scores_dir)));
  return {};
}

}  // namespace couplingd
