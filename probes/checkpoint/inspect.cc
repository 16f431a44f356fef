#include "probes/checkpoint/inspect.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "base/hash.h"
#include "base/json.h"
#include "probes/checkpoint/config_summary.h"
#include "probes/checkpoint/open_checkpoint.h"
#include "probes/checkpoint/trainer_state.h"

namespace couplingd {
namespace {

constexpr std::string_view kVetoName = "checkpoint-is-incomplete.txt";
constexpr std::string_view kTrainerStateName = "trainer_state.json";
constexpr std::string_view kConfigName = "config.json";
constexpr std::size_t kMaxTrainerStateBytes = 256u << 20;  // log_history grows with the run
constexpr std::size_t kMaxConfigBytes = 64u << 20;

class Inspector {
 public:
  Inspector(std::string path, std::string directory, std::vector<std::string> names,
            const InspectOptions& options)
      : path_(std::move(path)),
        directory_(std::move(directory)),
        names_(std::move(names)),
        options_(options) {
    options_.read_roots.push_back(path_);
    const std::string name = BaseName(path_);
    inspection_.path = path_;
    inspection_.layout = options.layout.value_or(LayoutOfName(name));
    inspection_.step = StepOfFolder(name);
    inspection_.readiness = Readiness::kReady;
  }

  Inspection Run() {
    if (Has(kVetoName)) {
      NotReady({ErrorKind::kInvalidData, fmt::format("{} is in {}", kVetoName, directory_),
                "the trainer removes it when the checkpoint is complete", true});
    }
    Note(LookAtWeights());
    Note(LookAtConfig());
    Count();
    Note(LookAtTrainerState());
    if (weights_.source) Note(weights_.source->CheckUnchanged());
    Sign();
    return std::move(inspection_);
  }

 private:
  bool Has(std::string_view name) const { return std::ranges::binary_search(names_, name); }

  void Note(Status looked) {
    if (!looked) NotReady(std::move(looked).error());
  }

  // A refusal outweighs what may still come; of equals the first stands.
  void NotReady(Error error) {
    const bool may_come =
        error.retryable || error.kind == ErrorKind::kNotFound || error.kind == ErrorKind::kVanished;
    const Readiness found = may_come ? Readiness::kIncomplete : Readiness::kRefused;
    if (found <= inspection_.readiness) return;
    inspection_.readiness = found;
    inspection_.reason = std::move(error.message);
    inspection_.hint = std::move(error.hint);
    inspection_.cause = may_come ? std::nullopt : std::optional(error.kind);
  }

  Result<std::string> ReadSmall(std::string_view name, std::size_t max_bytes) {
    const ConfinedFile file = TRY(OpenConfined(JoinPath(directory_, name), options_.read_roots));
    std::string content = TRY(ReadConfined(file, max_bytes));
    signed_files_.push_back({std::string(name), file.stamp, HashHex(content), true});
    return content;
  }

  Status LookAtConfig() {
    if (!Has(kConfigName)) return {};
    const std::string text = TRY(ReadSmall(kConfigName, kMaxConfigBytes));
    Result<ConfigSummary> config = ParseConfigSummary(text, JoinPath(directory_, kConfigName));
    if (!config) {
      // Written in place, before the weights: until those are there, it may be on its way itself.
      config.error().retryable = !weights_.source;
      return std::unexpected(std::move(config).error());
    }
    config_ = *config;
    inspection_.model_type = config_.model_type;
    inspection_.d_model = config_.d_model;
    return {};
  }

  Status LookAtWeights() {
    weights_ = TRY(OpenCheckpoint(path_, {options_.read_roots, options_.limits}));
    inspection_.format = weights_.format;
    inspection_.ephemeral = weights_.ephemeral;
    inspection_.tokens = weights_.tokens;
    inspection_.tokens_source = weights_.tokens_source;
    const std::vector<TensorInfo>& tensors = weights_.source->tensors();
    std::map<std::string, std::uint64_t> bytes_of;
    for (const TensorInfo& tensor : tensors) {
      const std::string dtype(ToString(tensor.dtype));
      inspection_.dtypes[dtype] += tensor.Elements();
      bytes_of[dtype] += tensor.bytes;
      inspection_.bytes += tensor.bytes;
    }
    const auto most =
        std::ranges::max_element(bytes_of, {}, [](const auto& e) { return e.second; });
    if (most == bytes_of.end()) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("the weights in {} hold no tensor", directory_));
    }
    inspection_.dtype = most->first;
    signed_files_.insert(signed_files_.end(), weights_.files.begin(), weights_.files.end());
    return CheckStep();
  }

  Status CheckStep() {
    if (!inspection_.step) inspection_.step = weights_.step;
    if (!weights_.step || *weights_.step == *inspection_.step) return {};
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} is named for step {}, its trainer's state says {}", path_,
                            *inspection_.step, *weights_.step),
                "the files belong to another checkpoint, or it was renamed");
  }

  void Count() {
    if (!weights_.source) return;
    count_ = CountParameters(weights_.source->tensors(), config_.tied_embeddings);
    inspection_.parameters = count_.all;
  }

  Status LookAtTrainerState() {
    if (!Has(kTrainerStateName)) {
      if (inspection_.layout != Layout::kTrainer) return {};
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{} has no {} yet, which the trainer writes last", directory_,
                              kTrainerStateName),
                  "set the run's layout to model if its trainer writes none", true);
    }
    const std::string text = TRY(ReadSmall(kTrainerStateName, kMaxTrainerStateBytes));
    const std::string path = JoinPath(directory_, kTrainerStateName);
    const TrainerState state = TRY(ParseTrainerState(text, path));
    if (!inspection_.step) inspection_.step = state.global_step;
    if (state.global_step != *inspection_.step) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{} says global_step {}, the directory is named for step {}", path,
                              state.global_step, *inspection_.step),
                  "the file belongs to another checkpoint, or the directory was renamed");
    }
    TakeTokens(state);
    return CheckTimes();
  }

  // A save over an older checkpoint rewrites one file after the other, and trainer_state.json last:
  // while some of the weights are older than it and some newer, they are of two saves. A copy that
  // was not given the times may leave all of them newer.
  Status CheckTimes() const {
    const std::int64_t marked = signed_files_.back().stamp.mtime_ns;
    const WeightsFile* older = nullptr;
    const WeightsFile* newer = nullptr;
    for (const WeightsFile& file : weights_.files) {
      if (!file.name.ends_with(".json")) (file.stamp.mtime_ns > marked ? newer : older) = &file;
    }
    if (!older || !newer) return {};
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: {} was written after {}, and {} before it", path_, newer->name,
                            kTrainerStateName, older->name),
                "the checkpoint is being saved over an older one; of a copy, touch "
                "trainer_state.json",
                true);
  }

  void TakeTokens(const TrainerState& state) {
    if (state.input_tokens_seen > 0) {
      inspection_.tokens = state.input_tokens_seen;
      inspection_.tokens_source = "num_input_tokens_seen";
      return;
    }
    // The Trainer adds 6 x tokens x parameters outside embeddings; only a quotient that is a whole
    // number counts.
    const double flos_per_token = 6.0 * static_cast<double>(count_.outside_embeddings);
    if (!(state.total_flos > 0) || !std::isfinite(state.total_flos) || flos_per_token <= 0) return;
    const double tokens = std::round(state.total_flos / flos_per_token);
    if (tokens < 1 || tokens > 1e12) return;
    if (std::abs(tokens * flos_per_token - state.total_flos) > 1e-14 * state.total_flos) return;
    inspection_.tokens = static_cast<std::int64_t>(tokens);
    inspection_.tokens_source = "total_flos";
  }

  void Sign() {
    std::ranges::sort(signed_files_, {}, &WeightsFile::name);
    StreamHash hash;
    hash.Update(fmt::format("{}:{}\n", path_.size(), path_));
    for (const WeightsFile& file : signed_files_) {
      // Of a file that is hashed as a whole, written again with the same content, nothing changed.
      const FileStamp stamp = file.is_whole ? FileStamp{.size = file.stamp.size} : file.stamp;
      hash.Update(fmt::format("{}:{} {} {} {} {}\n", file.name.size(), file.name, stamp.inode,
                              stamp.size, stamp.mtime_ns, file.header_hash));
      inspection_.files.push_back({file.name, file.stamp.size});
    }
    inspection_.signature = hash.Hex();
  }

  std::string path_;                // of the checkpoint
  std::string directory_;           // the same, or the one that its file lies in
  std::vector<std::string> names_;  // in the checkpoint, sorted
  InspectOptions options_;
  Inspection inspection_;
  ConfigSummary config_;
  CheckpointWeights weights_;
  ParameterCount count_;
  std::vector<WeightsFile> signed_files_;
};

}  // namespace

std::string_view ToString(Readiness readiness) {
  switch (readiness) {
    case Readiness::kReady:
      return "ready";
    case Readiness::kIncomplete:
      return "incomplete";
    case Readiness::kRefused:
      return "refused";
  }
  return "refused";
}

Result<Inspection> Inspect(const std::string& directory, const InspectOptions& options) {
  const std::string real = TRY(RealPath(directory));
  struct stat status {};
  if (::stat(real.c_str(), &status) != 0) return std::unexpected(ErrnoError(errno, "stat", real));
  const bool is_file = S_ISREG(status.st_mode) && IsFileCheckpointName(BaseName(real));
  if (!S_ISDIR(status.st_mode) && !is_file) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} is not a directory", directory),
                "name the directory that holds the checkpoint");
  }
  const auto allows = [&](const std::string& root) { return IsWithin(real, root); };
  if (!options.read_roots.empty() && std::ranges::none_of(options.read_roots, allows)) {
    return Fail(
        ErrorKind::kPermission,
        fmt::format("{} leads to {}, outside the directories that may be read", directory, real),
        "add the directory that holds it to the allowed roots");
  }
  if (is_file) return Inspector(real, DirectoryName(real), {}, options).Run();
  return Inspector(real, real, TRY(ListDirectory(real)), options).Run();
}

std::string ToJson(const Inspection& inspection) {
  JsonWriter json;
  json.BeginObject();
  json.Field("path", inspection.path);
  json.Field("layout", ToString(inspection.layout)).Field("format", inspection.format);
  json.Field("readiness", ToString(inspection.readiness));
  json.Field("reason", inspection.reason).Field("hint", inspection.hint);
  json.Key("cause");
  inspection.cause ? json.Value(ToString(*inspection.cause)) : json.Null();
  json.Field("step", inspection.step).Field("tokens", inspection.tokens);
  json.Field("tokens_source", inspection.tokens_source).Field("ephemeral", inspection.ephemeral);
  json.Field("parameters", inspection.parameters);
  json.Field("dtype", inspection.dtype);
  json.Key("dtypes").BeginObject();
  for (const auto& [dtype, elements] : inspection.dtypes) json.Field(dtype, elements);
  json.EndObject();
  json.Field("model_type", inspection.model_type).Field("d_model", inspection.d_model);
  json.Field("signature", inspection.signature).Field("bytes", inspection.bytes);
  json.Key("files").BeginArray();
  for (const InspectedFile& file : inspection.files) {
    json.BeginObject().Field("name", file.name).Field("bytes", file.bytes).EndObject();
  }
  json.EndArray().EndObject();
  return json.Text();
}

}  // namespace couplingd
