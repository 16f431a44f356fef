// The request of one evaluation, as far as the worker itself has to understand it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace couplingd {

// Fields (others are passed on untouched):
// {"checkpoint":DIR,"model_config":FILE|null,"tokenizer":DIR|FILE|null,"packs":[DIR or FILE…],
//  "dtype","device":"auto|cpu|cuda|cuda:INDEX|cuda:UUID","bos","threads":N,"token_budget":N,
//  "scores_dir":DIR,"samples":FILE|null,"budget":"500items|60s"|null,"seed":N,
//  "memory_limit_bytes":N|null,"timeout_s":N|null,"grace_ms":N|null,"read_roots":[DIR…]}
// Every path is real (absolute, links resolved) after Parse.
struct EvaluateRequest {
  std::string checkpoint;
  std::string model_config, tokenizer;  // empty: the checkpoint's own
  std::vector<std::string> packs;
  std::string scores_dir;               // made where it is missing
  std::string samples;                  // empty, or the file that is written; its directory exists
  std::vector<std::string> read_roots;  // where links in the checkpoint may lead
  std::string device = "auto";
  int threads = 0;  // 0: the evaluator decides
  std::optional<std::uint64_t> memory_limit_bytes;
  std::uint64_t device_free_bytes = 0;  // of the GPU that was chosen; not in what comes in
  std::optional<std::int64_t> timeout_s;
  std::optional<std::int64_t> grace_ms;  // between SIGTERM and SIGKILL; by default 10 s

  // Everything that the evaluation reads, directories with what lies below.
  std::vector<std::string> Readable() const;
  // The JSON for the evaluator: what came in, with paths and device as they stand here.
  std::string Json() const;

  JsonDocument document;
};

// Whether a process that has put itself into the sandbox of `first` may serve `next`, and would as
// a process of its own does: what is read lies below what is open, what is written goes to the same
// place, and the limits of the process are the same. The device is the caller's to compare.
bool CanFollow(const EvaluateRequest& first, const EvaluateRequest& next);

// Errors name the field. With read_roots, a checkpoint whose real path lies below none of them is
// kPermission; without, the checkpoint is its own root. Makes scores_dir.
Result<EvaluateRequest> ParseEvaluateRequest(std::string_view text);

}  // namespace couplingd
