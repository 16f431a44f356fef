// Looks at a checkpoint, a directory or one file: is it complete, which step is it, what is in it.
// Reads headers and small JSON files, never the weights.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/confined_file.h"
#include "probes/checkpoint/layout.h"
#include "probes/checkpoint/safetensors.h"

namespace couplingd {

enum class Readiness {
  kReady,       // marker and structure are complete; whether it is quiet, the caller sees over time
  kIncomplete,  // not yet: truncated, a shard or the marker missing; look again when something
                // changes
  kRefused,     // damaged, of an unsupported format, or not accessible; stays so until someone acts
};

std::string_view ToString(Readiness readiness);  // "ready", "incomplete", "refused"

struct InspectOptions {
  std::optional<Layout> layout;  // nothing: by the directory's name
  ReadRoots read_roots;  // real paths; the directory must lie below one of them. Empty: anywhere,
                         // and links inside may lead nowhere but into the directory
  SafetensorsLimits limits;
};

struct InspectedFile {
  std::string name;
  std::uint64_t bytes = 0;
};

struct Inspection {
  std::string path;  // real path
  Layout layout = Layout::kModel;
  std::string format;  // what holds the weights: "safetensors"; empty where none were read
  Readiness readiness = Readiness::kIncomplete;
  std::string reason;              // one sentence, where not ready
  std::string hint;                // what to do about it
  std::optional<ErrorKind> cause;  // of a refusal: kPermission, kUnsupported, kInvalidData
  std::optional<std::int64_t> step;
  std::optional<std::int64_t> tokens;          // as the trainer counted, or as its figures imply
  std::string tokens_source;                   // "num_input_tokens_seen", "total_flos"
  bool ephemeral = false;                      // the trainer removes it at its next save
  std::optional<std::int64_t> parameters;      // tied output matrix once, buffers not
  std::string dtype;                           // that of most bytes: "BF16"
  std::map<std::string, std::int64_t> dtypes;  // dtype to elements
  std::string model_type;                      // of config.json
  std::optional<std::int64_t> d_model;
  std::string signature;             // 32 hex digits; changes when any relevant file does
  std::uint64_t bytes = 0;           // of the tensors
  std::vector<InspectedFile> files;  // that the signature covers, by name

  bool ready() const { return readiness == Readiness::kReady; }
};

// An Error only where the directory itself cannot be looked at: it does not exist (kNotFound), may
// not be listed (kPermission), is no directory, or lies outside the roots (kPermission). Everything
// else is an Inspection. signature = hash of the real path, of weights the name, inode, size, mtime
// and header hash, and of index, config.json and the trainer's small files name and content.
Result<Inspection> Inspect(const std::string& directory, const InspectOptions& options = {});

// One JSON object on one line:
// {"path","layout","format","readiness","reason","hint","cause"|null,"step"|null,"tokens"|null,
//  "tokens_source","ephemeral","parameters"|null,"dtype","dtypes":{dtype:elements},"model_type",
//  "d_model"|null,"signature","bytes","files":[{"name","bytes"}]}
std::string ToJson(const Inspection& inspection);

}  // namespace couplingd
