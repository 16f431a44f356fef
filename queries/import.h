// Results of other harnesses as history. Files are read where the user is (couplingctl), recorded
// where the writer is (the daemon, or couplingctl while no daemon runs): in between they travel as
// JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "history/store.h"
#include "records/run.h"
#include "records/score.h"

namespace couplingd {

// One evaluation of one checkpoint, made elsewhere. Ids are 0.
struct ImportedResult {
  std::string source;  // the file it was read from
  Run run;             // its name and what is known of it
  std::int64_t step = 0;
  std::optional<double> tokens;
  std::string checkpoint;    // path, or a URI-like name: "hf:EleutherAI/pythia-70m@step1000"
  std::string weights_hash;  // empty where it is not known
  Evaluation evaluation;     // with its keys
};

// A file of raw scores that belongs to results (import_samples.h).
struct SamplesFile {
  std::string path;
  bool is_named = false;  // by the user; else it was found beside its results
};

struct ImportBatch {
  std::vector<ImportedResult> results;
  std::vector<SamplesFile> samples;  // not read yet
  std::vector<std::string>
      notes;  // what was left out or read otherwise than its name says, one sentence each
};

struct ImportSummary {
  std::int64_t results = 0;    // given
  std::int64_t recorded = 0;   // new or changed
  std::int64_t unchanged = 0;  // already there with the same values
  std::int64_t scores = 0;     // of those recorded
  std::vector<std::string> notes;
};

// The body of POST /api/v1/import: {"results": […]}. Non-finite scores are not representable and
// must have been left out.
std::string ImportToJson(const std::vector<ImportedResult>& results);
Result<std::vector<ImportedResult>> ImportFromJson(std::string_view json);

// {"results", "recorded", "unchanged", "scores", "notes"}, the answer to it.
std::string ToJson(const ImportSummary& summary);
Result<ImportSummary> ImportSummaryFromJson(std::string_view json);

// Records all of it or nothing. Runs are found by name and keep what is known of them; a checkpoint
// is found by its step in the run's current generation, so that results join the checkpoints of a
// watched run. The same results again change nothing.
Result<ImportSummary> RecordImport(HistoryWriter& history, const Clock& clock,
                                   const std::vector<ImportedResult>& results);

// Splits results so that the JSON of each part stays below `max_bytes` (one result is never split).
std::vector<std::vector<ImportedResult>> SplitForTransport(
    const std::vector<ImportedResult>& results, std::size_t max_bytes = 512u << 10);

// What the user says where files are silent, or against them.
struct ImportOptions {
  std::string run;  // name of the run; for files of one model only
  std::string family;
  std::optional<std::int64_t> step;
  bool final = false;  // files without a step are finished models, recorded at step 1
  std::optional<double> tokens_per_step;
  std::optional<double> parameters;
  std::optional<int> d_model;
  bool percent = false;  // CSV: shares are written in percent
};

}  // namespace couplingd
