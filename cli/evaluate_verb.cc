#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/evaluate.h"
#include "cli/gate.h"
#include "cli/import_submit.h"
#include "cli/screen_text.h"
#include "probes/benchmark/sources.h"
#include "records/checkpoint_names.h"

namespace couplingd {
namespace {

struct EvaluateCommand {
  std::string directory, samples, gate, model_config, tokenizer, run, family, memory, probe,
      timeout, tokens;
  std::vector<std::string> packs, read_roots;
  std::optional<std::int64_t> step;
  std::optional<int> limit;
  std::optional<std::string> device, dtype, bos;
  std::optional<int> threads, token_budget;
  bool record = false, quiet = false;
  Format format;
};

// A folder that goes when this goes.
class ScratchFolder {
 public:
  static Result<ScratchFolder> Make(const CliServices& services) {
    const auto variable = services.environment.find("TMPDIR");
    std::string path = JoinPath(variable == services.environment.end() ? "/tmp" : variable->second,
                                "couplingctl-XXXXXX");
    if (!::mkdtemp(path.data())) return std::unexpected(ErrnoError(errno, "make", path));
    return ScratchFolder(TRY(RealPath(path)));
  }
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string Sub(std::string_view name) const { return JoinPath(path_, name); }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Where a pack lies: as it is named, or a name below the state directory's packs. KIND=FILE is
// built into `scratch`.
Result<std::vector<std::string>> FindPack(const std::string& name,
                                          const std::optional<Config>& config,
                                          const ScratchFolder& scratch) {
  if (::access(name.c_str(), R_OK) == 0 && !name.ends_with(".csv"))
    return std::vector{TRY(RealPath(name))};
  if (name.find('=') != std::string::npos || name.ends_with(".csv")) {
    std::vector<std::string> folders;
    for (const Pack& pack : TRY(OpenPacks(name))) {
      folders.push_back(scratch.Sub("packs/" + pack.name));
      TRY(WritePack(pack, folders.back()));
    }
    return folders;
  }
  if (config && name.find('/') == std::string::npos) {
    const std::string known = JoinPath(JoinPath(config->store.path, "packs"), name);
    if (::access(known.c_str(), R_OK) == 0) return std::vector{TRY(RealPath(known))};
    for (const std::string& pack : config->packs) {
      if (BaseName(pack) == name) return std::vector{TRY(RealPath(pack))};
    }
  }
  return Fail(ErrorKind::kNotFound, fmt::format("there is no pack \"{}\"", name),
              fmt::format("name a pack's folder or file, or KIND=FILE with a kind of {}",
                          fmt::join(PackKinds(), ", ")));
}

Result<WorkerRequest> MakeRequest(const EvaluateCommand& command,
                                  const std::optional<Config>& config,
                                  const ScratchFolder& scratch) {
  WorkerRequest request;
  request.checkpoint = TRY(RealPath(command.directory));
  if (!command.model_config.empty()) request.model_config = TRY(RealPath(command.model_config));
  if (!command.tokenizer.empty()) request.tokenizer = TRY(RealPath(command.tokenizer));
  for (const std::string& pack : command.packs) {
    for (std::string& folder : TRY(FindPack(pack, config, scratch)))
      request.packs.push_back(std::move(folder));
  }
  EvaluationConfig& evaluation = request.evaluation;
  if (config) evaluation = config->evaluation;
  evaluation.device = command.device.value_or(evaluation.device);
  evaluation.dtype = command.dtype.value_or(evaluation.dtype);
  evaluation.bos = command.bos.value_or(evaluation.bos);
  evaluation.threads = command.threads.value_or(evaluation.threads);
  evaluation.token_budget = command.token_budget.value_or(evaluation.token_budget);
  if (command.limit) evaluation.limit_items = command.limit;
  if (!command.memory.empty()) evaluation.memory_limit = TRY(ParseSize(command.memory));
  if (!command.timeout.empty()) evaluation.timeout = TRY(ParseDuration(command.timeout));
  request.scores_dir = scratch.Sub("scores");
  TRY(MakeDirectories(request.scores_dir));
  if (!command.samples.empty()) {
    std::error_code ignored;
    request.samples =
        std::filesystem::absolute(command.samples, ignored).lexically_normal().string();
  }
  for (const std::string& root : command.read_roots)
    request.read_roots.push_back(TRY(RealPath(root)));
  if (!request.read_roots.empty()) request.read_roots.push_back(request.checkpoint);
  return request;
}

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
    if (!shown_ || (percent == percent_ && frames.task() == task_)) return;
    percent_ = percent;
    task_ = frames.task();
    const int filled = percent / 4;
    std::string bar(static_cast<std::size_t>(filled), '#');
    bar.resize(25, '.');
    context_.terminal.err << fmt::format("\r\x1b[K[{}] {:3d}% {}", bar, percent, Printable(task_))
                          << std::flush;
    drawn_ = true;
  }
  void Clear() {
    if (std::exchange(drawn_, false)) context_.terminal.err << "\r\x1b[K" << std::flush;
  }

 private:
  const CommandContext& context_;
  const bool shown_, quiet_;
  std::size_t notes_ = 0;
  int percent_ = -1;
  std::string task_;
  bool drawn_ = false;
};

// The run and step that the result belongs to.
ImportedResult About(const EvaluateCommand& command, const std::string& checkpoint) {
  ImportedResult about;
  const auto named_step = StepOfName(BaseName(checkpoint));
  about.checkpoint = checkpoint;
  about.step = command.step.value_or(named_step.value_or(0));
  about.run.name = !command.run.empty()
                       ? command.run
                       : BaseName(named_step ? DirectoryName(checkpoint) : checkpoint);
  about.run.family = command.family.empty() ? about.run.name : command.family;
  return about;
}

bool CopyScoreFiles(const std::string& from, const std::string& scores_directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(from, error)) {
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

Status CheckRecordable(const EvaluateCommand& command) {
  if (!command.record || command.step || StepOfName(BaseName(TRY(RealPath(command.directory)))))
    return {};
  return Fail(ErrorKind::kUsage,
              "--record needs to know the step, and the directory's name does not tell",
              "add --step N");
}

Result<int> Evaluate(const CommandContext& context, const EvaluateCommand& command) {
  std::optional<Gate> gate;
  if (!command.gate.empty()) gate = TRY(ParseGate(command.gate));
  TRY(CheckRecordable(command));
  const auto places = FindPlaces(context.source, context.services);
  if (!places && (!context.source.config.empty() || command.record))
    return std::unexpected(places.error());
  const ScratchFolder scratch = TRY(ScratchFolder::Make(context.services));
  const WorkerRequest request =
      TRY(MakeRequest(command, places ? places->config : std::nullopt, scratch));
  const std::string probe = command.probe.empty()
                                ? JoinPath(context.services.program_directory, "couplingd-probe")
                                : command.probe;
  Progress progress(context, command.quiet);
  const UnixMillis started_at = context.services.clock.Now();
  auto result =
      RunProbe(probe, request, [&](const WorkerFrames& frames) { progress.Show(frames); });
  progress.Clear();
  if (!result) return std::unexpected(std::move(result).error());
  const UnixMillis finished_at = context.services.clock.Now();
  ImportedResult about = About(command, request.checkpoint);
  if (!command.tokens.empty()) about.tokens = TRY(ParseCount(command.tokens));
  const std::string text = EvaluationJson(*result, about);
  const JsonDocument document = TRY(ParseJson(text, "evaluation"));
  const JsonValue& scores = document["scores"];
  if (command.format.json) {
    context.PrintData(text + "\n");
  } else {
    TRY(PrintRows(context, command.format, "scores", scores));
  }
  if (command.record) {
    context.Say(
        TRY(Record(context, ToImport(*result, about, request.evaluation, started_at, finished_at),
                   request.scores_dir)));
  }
  if (!gate) return 0;
  const GateResult verdict = TRY(GateScores(*gate, scores));
  for (const std::string& reason : verdict.reasons)
    context.Say("gate: " + Printable(reason) + "\n");
  return static_cast<int>(verdict.verdict);
}

}  // namespace

void AddEvaluateVerb(CLI::App& app, CommandContext& context) {
  CLI::App* verb = app.add_subcommand("evaluate", "Evaluate one checkpoint now, in the foreground");
  auto command = std::make_shared<EvaluateCommand>();
  verb->add_option("DIR", command->directory, "The checkpoint's directory")->required();
  verb->add_option("--pack,-p", command->packs,
                   "Item pack: a name, folder or file, or KIND=FILE (repeatable)")
      ->required();
  verb->add_option("--samples", command->samples,
                   "Write one row per item there, in the shape of lm-eval's samples_*.jsonl");
  verb->add_option("--gate", command->gate,
                   "Exit 0 if the rule holds, 1 if not, 2 if undetermined: arc_easy.acc>=0.4");
  verb->add_option("--device", command->device, "auto, cpu, cuda:INDEX or cuda:GPU-UUID");
  verb->add_option("--dtype", command->dtype, "auto, fp32, bf16 or fp16")
      ->check(CLI::IsMember({"auto", "fp32", "bf16", "fp16"}));
  verb->add_option("--bos", command->bos, "auto, true or false")
      ->check(CLI::IsMember({"auto", "true", "false"}));
  verb->add_option("--threads", command->threads, "CPU threads")->check(CLI::Range(0, 4096));
  verb->add_option("--token-budget", command->token_budget, "Tokens that are forwarded at once")
      ->check(CLI::Range(0, 1 << 24));
  verb->add_option("--memory", command->memory, "Most memory, such as 8GiB");
  verb->add_option("--timeout", command->timeout, "Longest time, such as 2h");
  verb->add_option("--model-config", command->model_config,
                   "config.json, where the checkpoint carries none");
  verb->add_option("--tokenizer", command->tokenizer,
                   "Directory with tokenizer.json, where the checkpoint carries none");
  verb->add_option("--limit", command->limit, "A seeded subset of so many items of each pack")
      ->check(CLI::Range(1, 1 << 30));
  verb->add_option("--read-root", command->read_roots,
                   "Directory that links in the checkpoint may lead into (repeatable)");
  verb->add_option("--probe", command->probe,
                   "couplingd-probe; by default the one beside this program");
  verb->add_flag("--record", command->record, "Record the result in the history");
  verb->add_option("--run", command->run,
                   "Run it is recorded under; by default the directory's name");
  verb->add_option("--family", command->family, "Family of that run");
  verb->add_option("--step", command->step, "Its step, where the directory's name does not tell");
  verb->add_option("--tokens", command->tokens, "Tokens seen up to it, such as 2.1B");
  verb->add_flag("--quiet,-q", command->quiet, "No progress and no notes");
  command->format.AddTo(*verb);
  verb->footer(
      "Examples:\n  couplingctl evaluate out/checkpoint-500 --pack packs/truthfulqa_mc2 --pack "
      "arc_easy=arc_easy.jsonl\n"
      "  couplingctl evaluate model/ --pack mine.jsonl --samples samples_mine.jsonl --json");
  verb->callback([&context, command] {
    context.run = [&context, command] { return Evaluate(context, *command); };
  });
}

}  // namespace couplingd
