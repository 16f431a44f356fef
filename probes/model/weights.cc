#include "probes/model/weights.h"

#include <ATen/ops/aminmax.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/hash.h"
#include "probes/device/host_memory.h"
#include "probes/model/guarded.h"
#include "probes/model/packed_linear.h"
#include "probes/model/row_tiles.h"
#include "probes/model/staging.h"
#include "probes/model/weight_slots.h"

namespace couplingd {
namespace {

constexpr std::size_t kNamesInAnError = 8;

std::string SomeOf(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kNamesInAnError);
  std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (shown < names.size()) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

Result<at::ScalarType> FloatingType(const TensorInfo& tensor) {
  switch (tensor.dtype) {
    case DType::kF16:
      return at::kHalf;
    case DType::kBF16:
      return at::kBFloat16;
    case DType::kF32:
      return at::kFloat;
    case DType::kF64:
      return at::kDouble;
    default:
      break;
  }
  return Fail(ErrorKind::kUnsupported,
              fmt::format("{}: tensor \"{}\" holds {}; weights are read as F64, F32, F16 or BF16",
                          tensor.file, tensor.name, ToString(tensor.dtype)));
}

// What libtorch throws becomes an error.
Status Loading(const std::function<Status()>& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return Fail(ErrorKind::kExhausted, "there is not enough memory for the weights");
  } catch (const c10::Error& error) {
    if (IsOutOfMemory(error)) {
      return Fail(ErrorKind::kExhausted,
                  fmt::format("the weights do not fit: {}", error.what_without_backtrace()),
                  "free the device, raise the memory limit, or use the CPU");
    }
    return Fail(ErrorKind::kInternal,
                fmt::format("loading the weights failed: {}", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return Fail(ErrorKind::kInternal, fmt::format("loading the weights failed: {}", error.what()));
  }
}

class WeightLoader : public IncomingWeights {
 public:
  WeightLoader(const TensorSource& source, const ModelConfig& config, const TensorFactory& factory)
      : source_(source), config_(config), factory_(factory), staging_(factory_) {}
  ~WeightLoader() override { gives_up_ = true; }

  Status Begin() {
    return Loading([&]() -> Status {
      TRY(MatchNames());
      TRY(CheckShapes());
      weights_ = AllocateWeights(config_, factory_, tied_);
      is_there_.assign(weights_.layers.size(), false);
      TRY(LoadOutside());
      NoteUnusedHead();
      staging_.Clear();
      reader_ = std::jthread([this] { LoadLayers(); });
      return {};
    });
  }

  const Weights& outside() const override { return weights_; }

  Result<const LayerWeights*> Layer(std::size_t index) override {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return is_there_[index] || failure_; });
    if (!is_there_[index]) return std::unexpected(*failure_);
    return &weights_.layers[index];
  }

  Result<LoadReport> Finish() override {
    if (reader_.joinable()) reader_.join();
    if (failure_) return std::unexpected(*failure_);
    if (report_.weights_hash.empty()) report_.weights_hash = TRY(hasher_.Finish(source_));
    return report_;
  }

 private:
  // Finds the file's tensor for every expected one and refuses what has no place.
  Status MatchNames() {
    std::map<std::string, const TensorInfo*> by_name;
    for (const TensorInfo& tensor : source_.tensors()) {
      std::string name = CanonicalTensorName(config_, tensor.name);
      const auto [at, is_new] = by_name.emplace(std::move(name), &tensor);
      if (!is_new) {
        return Fail(ErrorKind::kInvalidData,
                    fmt::format("tensors \"{}\" and \"{}\" are two spellings of one name",
                                at->second->name, tensor.name));
      }
    }
    TakeHead(by_name);
    FindFusedExperts(by_name);
    std::vector<std::string> missing;
    for (const ExpectedTensor& expected : ExpectedTensors(config_)) {
      if (expected.role == TensorRole::kHead && !expected.is_bias) {
        if (head_ != nullptr) expected_.emplace(head_, expected);
        continue;
      }
      const auto at = by_name.find(expected.name);
      if (at == by_name.end()) {
        missing.push_back(expected.name);
        continue;
      }
      expected_.emplace(at->second, expected);
      by_name.erase(at);
    }
    if (!missing.empty()) {
      return Fail(ErrorKind::kInvalidData, fmt::format("the checkpoint lacks {}", SomeOf(missing)),
                  "config.json and the weights do not belong together, or the checkpoint is "
                  "incomplete");
    }
    return RefuseStrangers(by_name);
  }

  // A file without an output matrix ties it, and so does a configuration that says so.
  void TakeHead(std::map<std::string, const TensorInfo*>& by_name) {
    for (const std::string_view name : config_.names.heads) {
      const auto at = by_name.find(fmt::format("{}.weight", name));
      if (at == by_name.end()) continue;
      head_ = at->second;
      by_name.erase(at);
      break;
    }
    tied_ = config_.tie_embeddings || head_ == nullptr;
    if (head_ == nullptr && !config_.tie_embeddings) {
      report_.notes.push_back(
          fmt::format("there is no {}.weight, so the output matrix is the embedding",
                      config_.names.heads.front()));
    }
  }

  void FindFusedExperts(const std::map<std::string, const TensorInfo*>& by_name) {
    if (config_.experts.count == 0) return;
    config_.experts.are_fused = true;
    if (config_.names.expert_down.empty()) return;  // never one by one
    const std::vector<ExpectedTensor> fused = ExpectedTensors(config_);
    config_.experts.are_fused = std::ranges::any_of(fused, [&](const ExpectedTensor& tensor) {
      return tensor.role == TensorRole::kFusedExpertDown && by_name.contains(tensor.name);
    });
  }

  Status RefuseStrangers(const std::map<std::string, const TensorInfo*>& rest) const {
    std::vector<std::string> strangers;
    for (const auto& [name, tensor] : rest) {
      if (!IsKnownBuffer(name) && !IsUnusedKeyOrValue(config_, name))
        strangers.push_back(tensor->name);
    }
    if (strangers.empty()) return {};
    return Fail(ErrorKind::kUnsupported,
                fmt::format("the checkpoint holds tensors that this family has no place for: {}",
                            SomeOf(strangers)),
                "config.json may name another model_type than the one that was trained");
  }

  Status CheckShapes() const {
    std::vector<std::string> wrong;
    for (const auto& [tensor, expected] : expected_) {
      TRY(FloatingType(*tensor));
      if (tensor->shape != expected.shape) {
        wrong.push_back(fmt::format("{} is [{}] and not [{}]", tensor->name,
                                    fmt::join(tensor->shape, ", "),
                                    fmt::join(expected.shape, ", ")));
      }
    }
    if (wrong.empty()) return {};
    std::ranges::sort(wrong);
    return Fail(ErrorKind::kInvalidData, fmt::format("wrong shapes: {}", SomeOf(wrong)),
                "config.json and the weights do not belong together");
  }

  // Tensors outside the layers, large ones first, side by side: while one is read, others are
  // hashed, checked and converted.
  Status LoadOutside() {
    std::vector<const TensorInfo*> tensors;
    of_layer_.resize(weights_.layers.size());
    for (const TensorInfo& tensor : source_.tensors()) {
      const auto at = expected_.find(&tensor);
      const bool is_of_layer = at != expected_.end() && IsOfLayer(at->second.role);
      std::vector<const TensorInfo*>& group =
          is_of_layer ? of_layer_[static_cast<std::size_t>(at->second.layer)] : tensors;
      group.push_back(&tensor);
    }
    std::ranges::stable_sort(tensors, std::greater(), &TensorInfo::bytes);
    std::vector<Status> loaded(tensors.size());
    const auto load = [&](std::int64_t index, std::int64_t) {
      const auto at = static_cast<std::size_t>(index);
      if (!gives_up_) loaded[at] = LoadTensor(*tensors[at]);
      if (!loaded[at]) gives_up_ = true;
    };
    ForEachTile(at::kCPU, std::ssize(tensors), load, /*tile_rows=*/1);
    for (Status& status : loaded) TRY(std::move(status));
    return {};
  }

  // In order, several side by side. The reader's whole life.
  void LoadLayers() {
    const auto load = [&](std::int64_t index, std::int64_t) {
      if (gives_up_) return;
      Arrive(index, Loading([&] { return LoadLayer(index); }));
    };
    ForEachTile(at::kCPU, std::ssize(of_layer_), load, /*tile_rows=*/1);
    staging_.Clear();
    ReturnFreedMemory();  // the threads that read keep what they freed, and nobody else gets it
  }

  // A layer is packed as soon as it is there, so that the next one takes the memory it came in.
  Status LoadLayer(std::int64_t index) {
    LayerWeights& layer = weights_.layers[static_cast<std::size_t>(index)];
    layer = AllocateLayer(config_, factory_, index);
    for (const TensorInfo* tensor : of_layer_[static_cast<std::size_t>(index)]) {
      TRY(LoadTensor(*tensor));
    }
    PackProjections(layer);
    return {};
  }

  void Arrive(std::int64_t index, Status loaded) {
    {
      const std::lock_guard lock(mutex_);
      is_there_[static_cast<std::size_t>(index)] = loaded.has_value();
      if (!loaded && !failure_) failure_ = std::move(loaded.error());
    }
    if (!loaded) gives_up_ = true;
    arrived_.notify_all();
  }

  Status LoadTensor(const TensorInfo& tensor) {
    const auto expected = expected_.find(&tensor);
    const bool is_used = expected != expected_.end();
    if (!is_used && &tensor != head_) return {};  // a buffer: hashed at the end, in pieces

    const at::ScalarType type = TRY(FloatingType(tensor));
    const at::Tensor place =
        is_used ? PlaceAsStored(config_, expected->second, type, weights_) : at::Tensor();
    if (place.defined()) {
      auto* bytes = static_cast<std::byte*>(place.mutable_data_ptr());
      TRY(ReadBytes(tensor, bytes));
      return RefuseNonFinite(tensor, place);
    }
    const StagingBuffers::Lease staging(staging_, tensor.bytes);
    TRY(ReadBytes(tensor, staging.bytes()));
    // On a GPU the check waits for the copy.
    const at::Tensor stored =
        staging.As(tensor.shape, type).to(factory_.device(), type, /*non_blocking=*/true);
    TRY(RefuseNonFinite(tensor, stored));
    if (is_used) PutTensor(config_, expected->second, stored, weights_);
    return {};
  }

  Status ReadBytes(const TensorInfo& tensor, std::byte* into) {
    TRY(source_.Read(tensor, into));
    hasher_.Add(tensor, into);
    if (tied_ && config_.tie_embeddings && head_ != nullptr) KeepForComparison(tensor, into);
    return {};
  }

  static Status RefuseNonFinite(const TensorInfo& tensor, const at::Tensor& stored) {
    const auto [least, most] = at::aminmax(stored);  // NaN spreads to both
    if (std::isfinite(least.item<double>()) && std::isfinite(most.item<double>())) return {};
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: tensor \"{}\" holds NaN or infinity", tensor.file, tensor.name),
                "the training run has diverged, or the checkpoint is damaged");
  }

  void KeepForComparison(const TensorInfo& tensor, const std::byte* bytes) {
    const auto expected = expected_.find(&tensor);
    const bool is_embedding =
        expected != expected_.end() && expected->second.role == TensorRole::kEmbedding;
    if (!is_embedding && &tensor != head_) return;
    std::string& hash = &tensor == head_ ? head_hash_ : embedding_hash_;
    hash = HashHex({reinterpret_cast<const char*>(bytes), tensor.bytes});
  }

  void NoteUnusedHead() {
    if (head_hash_ == embedding_hash_) return;
    report_.notes.push_back(fmt::format(
        "{} differs from the embedding and is not used, since the configuration ties them",
        head_->name));
  }

  const TensorSource& source_;
  ModelConfig config_;
  const TensorFactory factory_;
  WeightsHasher hasher_;
  std::map<const TensorInfo*, ExpectedTensor> expected_;
  std::vector<std::vector<const TensorInfo*>> of_layer_;
  const TensorInfo* head_ = nullptr;
  bool tied_ = false;
  std::string head_hash_, embedding_hash_;
  StagingBuffers staging_;
  Weights weights_;
  LoadReport report_;
  std::atomic<bool> gives_up_ = false;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<bool> is_there_;    // per layer
  std::optional<Error> failure_;  // the first
  std::jthread reader_;           // ends before what it uses
};

}  // namespace

Result<std::unique_ptr<IncomingWeights>> LoadWeights(const TensorSource& source,
                                                     const ModelConfig& config,
                                                     const TensorFactory& factory) {
  auto loader = std::make_unique<WeightLoader>(source, config, factory);
  TRY(loader->Begin());
  return loader;
}

}  // namespace couplingd
