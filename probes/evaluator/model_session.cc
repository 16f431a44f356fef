#include "probes/evaluator/model_session.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>

#include "base/files.h"
#include "base/hash.h"
#include "probes/checkpoint/naming/canonical_names.h"
#include "probes/device/host_memory.h"
#include "probes/internals/reinitialised_source.h"
#include "probes/model/dimensions.h"
#include "probes/model/tile_sizes.h"
#include "probes/worker/frames.h"

namespace couplingd {
namespace {

constexpr int kTokenBudgetOnCpu = 8192;
constexpr int kTokenBudgetOnCuda = 16384;

// The element type that most of the weights are stored in.
std::string WeightsDType(const TensorSource& source) {
  const TensorInfo* largest = nullptr;
  for (const TensorInfo& tensor : source.tensors()) {
    if (largest == nullptr || tensor.bytes > largest->bytes) largest = &tensor;
  }
  return largest == nullptr ? std::string() : std::string(ToString(largest->dtype));
}

// What Linux expects to be able to give without swapping; absent where it does not say.
std::optional<std::int64_t> AvailableMemory() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::int64_t kibibytes = 0;
  std::string rest;
  while (file >> key >> kibibytes && std::getline(file, rest)) {
    if (key == "MemAvailable:") return kibibytes << 10;
  }
  return std::nullopt;
}

// A line for each file: its path, inode, size and time of the last change.
std::string StampsOf(const std::vector<TensorInfo>& tensors) {
  std::set<std::string> files;
  for (const TensorInfo& tensor : tensors) files.insert(tensor.file);
  std::string stamps;
  for (const std::string& file : files) {
    struct stat status {};
    (void)!::stat(file.c_str(), &status);  // one that is gone is found out when it is read
    stamps += fmt::format("{} {} {} {}.{:09}\n", file, status.st_ino, status.st_size,
                          status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  return stamps;
}

}  // namespace

Status ModelSession::Open() {
  config_ = TRY(FromOutside(settings_.model_config, ReadModelConfigFile()));
  CheckpointWeights opened =
      TRY(OpenCheckpoint(settings_.checkpoint, {.read_roots = settings_.read_roots}));
  weights_ = TRY(WithCanonicalNames(std::move(opened), DimensionsOf(config_)));
  tensors_ = weights_.source->tensors();
  files_ = StampsOf(tensors_);
  tokenizer_ = TRY(FromOutside(settings_.tokenizer, LoadTokenizer(settings_.tokenizer)));
  return {};
}

Result<ModelConfig> ModelSession::ReadModelConfigFile() {
  const ConfinedFile file = TRY(OpenConfined(settings_.model_config, Roots()));
  const std::string text = TRY(ReadConfined(file));
  config_hash_ = HashHex(text);
  const JsonDocument json = TRY(ParseJson(text, settings_.model_config));
  return ParseModelConfig(json, settings_.model_config);
}

ReadRoots ModelSession::Roots() const {
  ReadRoots roots = settings_.read_roots;
  roots.push_back(settings_.checkpoint);
  roots.push_back(DirectoryName(settings_.model_config));
  return roots;
}

Status ModelSession::ChooseDevice() {
  place_ = TRY(ChoosePlace({.device = settings_.device,
                            .dtype = settings_.dtype,
                            .weights_dtype = WeightsDType(*weights_.source)}));
  if (!place_.note.empty()) TRY(Note("device", place_.note));
  if (settings_.threads > 0) SetComputeThreads(settings_.threads);
  const std::optional<std::int64_t> cap = MemoryCap();
  if (place_.cuda_index >= 0 && cap) {
    const int code = place_.cuda.limit_memory(place_.cuda_index, static_cast<std::uint64_t>(*cap));
    if (code != 0) {
      return Fail(ErrorKind::kUnavailable,
                  fmt::format("cannot cap the memory of {}: {}", place_.DeviceName(),
                              place_.cuda.error_text(code)));
    }
  }
  EndStep("device");
  return {};
}

Status ModelSession::StartLoading() {
  KeepFreedMemory();
  if (weights_.format != "safetensors") {
    TRY(Note("weights", fmt::format("read from: {}", weights_.format)));
  }
  decoder_ = TRY(StartDecoder(*weights_.source, config_, place_,
                              {.memory_limit_bytes = settings_.memory_limit_bytes}));
  EndStep("load");
  return {};
}

Status ModelSession::FinishLoading() {
  const LoadReport report = TRY(decoder_->FinishLoading());
  TRY(weights_.source->CheckUnchanged());
  weights_ = {};
  weights_hash_ = report.weights_hash;
  for (const std::string& note : report.notes) TRY(Note("weights", note));
  return {};
}

Status ModelSession::Load() {
  TRY(StartLoading());
  return FinishLoading();
}

Status ModelSession::LoadReinitialised(std::uint64_t seed) {
  decoder_.reset();  // never two models in memory
  const auto source = MakeReinitialisedSource(tensors_, config_, seed);
  decoder_ = TRY(LoadDecoder(*source, config_, place_,
                             {.memory_limit_bytes = settings_.memory_limit_bytes}))
                 .decoder;
  EndStep("reinitialise");
  return {};
}

EncodeOptions ModelSession::Encoding() const {
  EncodeOptions options{.bos = settings_.bos_mode,
                        .max_length = static_cast<std::size_t>(config_.max_positions)};
  if (!tokenizer_->bos_id() && !tokenizer_->eos_id()) {
    const auto id = config_.bos_token_id ? config_.bos_token_id : config_.eos_token_id;
    if (id) options.prefix_token = static_cast<TokenId>(*id);
  }
  return options;
}

int ModelSession::TokenBudget() const {
  if (settings_.token_budget > 0) return settings_.token_budget;
  if (place_.cuda_index >= 0) return kTokenBudgetOnCuda;
  return std::max<int>(kTokenBudgetOnCpu, kTileRows * ComputeThreads());
}

MemoryPlace ModelSession::MemoryOf() const {
  const bool is_cuda = place_.cuda_index >= 0;
  return {.element_bytes = place_.type == ComputeType::kFp32 ? 4 : 2,
          .threads = is_cuda ? 1 : ComputeThreads(),
          .is_cuda = is_cuda};
}

std::optional<std::int64_t> ModelSession::MemoryCap() const {
  std::optional<std::int64_t> free;
  if (place_.cuda_index < 0) free = AvailableMemory();
  if (place_.cuda_index >= 0 && settings_.device_free_bytes > 0) free = settings_.device_free_bytes;
  if (settings_.memory_limit_bytes == 0) return free;
  return std::min(settings_.memory_limit_bytes, free.value_or(settings_.memory_limit_bytes));
}

Status ModelSession::Note(std::string_view topic, std::string_view text) const {
  return send_(NoteFrame(topic, text));
}

Status ModelSession::Progress(std::int64_t done, std::int64_t total, std::string_view task) const {
  JsonWriter json;
  json.BeginObject().Field("frame", "progress").Field("done", done).Field("total", total);
  return send_(json.Field("task", task).EndObject().Text());
}

void ModelSession::WriteModel(JsonWriter& json) const {
  json.Field("model_type", config_.model_type).Field("parameters", ParameterCount(config_));
  json.Field("d_model", config_.hidden_size);
  json.Field("device", place_.DeviceName()).Field("dtype", ToString(place_.type));
}

void ModelSession::WriteIdentity(JsonWriter& json) const {
  json.Field("weights_hash", weights_hash_);
  WriteModel(json);
  json.Field("tokenizer_hash", tokenizer_->hash()).Field("bos", settings_.bos);
}

void ModelSession::WriteFiles(JsonWriter& json) const {
  json.Field("config", config_hash_).Field("files", files_);
}

void ModelSession::EndStep(std::string_view name) {
  seconds_.emplace_back(name, SecondsSince(step_.value_or(started_)));
  step_ = clock_.Steady();
}

void ModelSession::WriteSeconds(JsonWriter& json) const {
  json.Key("seconds").BeginObject();
  for (const auto& [step, seconds] : seconds_) json.Field(step, seconds);
  json.Field("total", Seconds()).EndObject();
}

double ModelSession::Seconds() const { return SecondsSince(started_); }

double ModelSession::SecondsSince(std::chrono::steady_clock::time_point start) const {
  return std::chrono::duration<double>(clock_.Steady() - start).count();
}

}  // namespace couplingd
