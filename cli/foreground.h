// What the verbs that need a model have in common: they run couplingd-probe in the foreground, show
// how far it is, and record what it found.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/commands.h"
#include "cli/evaluate.h"
#include "queries/import.h"
#include "queries/worker.h"

namespace couplingd {

struct ForegroundOptions {
  std::string directory;  // of the checkpoint
  std::string model_config, tokenizer, memory, timeout, probe, run, family, tokens;
  std::vector<std::string> read_roots;
  std::optional<std::int64_t> step;
  std::optional<std::string> device, dtype, bos;
  std::optional<int> threads, token_budget;
  bool record = false, quiet = false;

  // Every option but the directory.
  void AddTo(CLI::App& verb);
};

// A folder that goes when this goes.
class ScratchFolder {
 public:
  static Result<ScratchFolder> Make(const CliServices& services);
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  ~ScratchFolder();
  std::string Sub(std::string_view name) const;

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// The request without packs and task, its score files in `scratch`. Options go before the
// configuration.
Result<WorkerRequest> MakeForegroundRequest(const ForegroundOptions& options,
                                            const std::optional<Config>& config,
                                            const ScratchFolder& scratch);

// The places, absent where none are named and none are needed.
Result<std::optional<Places>> ForegroundPlaces(const CommandContext& context,
                                               const ForegroundOptions& options);

struct ForegroundResult {
  WorkerResult worker;
  ImportedResult about;  // the run and step that it belongs to
  UnixMillis started_at = 0, finished_at = 0;
};
// Runs the probe with a line of progress on stderr and its notes.
Result<ForegroundResult> RunInForeground(const CommandContext& context,
                                         const ForegroundOptions& options,
                                         const WorkerRequest& request);

// Where --record is given: refuses, before anything is run, what could not be recorded.
Status CheckRecordable(const ForegroundOptions& options);
// Records the result and says so on stderr; nothing without --record.
Status RecordForeground(const CommandContext& context, const ForegroundOptions& options,
                        const WorkerRequest& request, const ForegroundResult& result);

}  // namespace couplingd
