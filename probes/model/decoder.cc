#include "probes/model/decoder.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "probes/model/attention.h"
#include "probes/model/embedding_and_head.h"
#include "probes/model/guarded.h"
#include "probes/model/layer.h"
#include "probes/model/rotary_table.h"
#include "probes/model/row_scores.h"
#include "probes/model/row_tiles.h"
#include "probes/model/weights.h"

namespace couplingd {
namespace {

constexpr std::string_view kForwardPass = "the forward pass";
constexpr std::string_view kDiverged =
    "the weights are finite but overflow; the training run has probably diverged";

class TorchDecoder : public Decoder {
 public:
  TorchDecoder(ModelConfig config, std::unique_ptr<IncomingWeights> weights, const Place& place,
               bool batched_attention)
      : config_(std::move(config)),
        incoming_(std::move(weights)),
        weights_(incoming_->outside()),
        factory_(place),
        cuda_(place.cuda),
        kernel_(batched_attention ? AttentionKernel::kBatches
                                  : AttentionKernelFor(factory_.device())),
        tables_(config_, factory_),
        is_source_(static_cast<std::size_t>(config_.layers), false),
        kept_(static_cast<std::size_t>(config_.layers)) {
    for (const LayerConfig& layer : config_.layer) {
      if (layer.keys_of) is_source_[*layer.keys_of] = true;
    }
  }

  const ModelConfig& config() const override { return config_; }

  Status Run(const ForwardPlan& plan, std::size_t pack, std::span<TokenScore> scores) override {
    return Guarded(kForwardPass, [&]() -> Status {
      if (pack == 0) Forget();
      TRY(CheckPack(plan, plan.packs[pack]));
      const RowsRead read = RowsReadOf(plan, plan.packs[pack]);
      const at::Tensor hidden = TRY(Forward(plan, pack, factory_.Indices(read.rows)));
      return Score(plan, plan.packs[pack], hidden, read.row_of, scores);
    });
  }

  Result<std::vector<float>> Logits(std::span<const TokenId> tokens) override {
    ForwardPlan plan;
    plan.tokens.assign(tokens.begin(), tokens.end());
    const auto size = static_cast<std::int64_t>(tokens.size());
    plan.segments.push_back({0, size, -1, 0, 0});
    plan.packs.push_back({0, 1, 0, size, 0, 0});
    std::vector<float> logits;
    TRY(Guarded(kForwardPass, [&]() -> Status {
      Forget();
      TRY(CheckPack(plan, plan.packs[0]));
      const at::Tensor rows = AllLogits(TRY(Forward(plan, 0))).to(at::kCPU, at::ScalarType::Float);
      const float* first = rows.contiguous().const_data_ptr<float>();
      logits.assign(first, first + rows.numel());
      return {};
    }));
    return logits;
  }

  Result<std::vector<float>> NextLogits(std::span<const TokenId> text, std::size_t known) override {
    if (known >= text.size() || (known > 0 && known != known_)) {
      return Fail(ErrorKind::kUsage, fmt::format("of a text of {} tokens, {} are called known and "
                                                 "the text before had {}",
                                                 text.size(), known, known_));
    }
    if (known == 0) Forget();
    const ForwardPlan plan = GrowingText(text, known);
    std::vector<float> logits;
    const Status run = Guarded(kForwardPass, [&]() -> Status {
      TRY(CheckPack(plan, plan.packs.back()));
      const TogetherOnOneTile together;
      const at::Tensor hidden = TRY(Forward(plan, plan.packs.size() - 1));
      JoinText();
      const at::Tensor row = AllLogits(hidden.narrow(0, hidden.size(0) - 1, 1));
      const at::Tensor here = row.to(at::kCPU, at::ScalarType::Float).contiguous();
      logits.assign(here.const_data_ptr<float>(), here.const_data_ptr<float>() + here.numel());
      return CheckLogits(logits);
    });
    known_ = run ? text.size() : 0;
    TRY(run);
    return logits;
  }

  void Forget() override {
    shared_.clear();  // of a pack that failed
    for (auto& layer : kept_) layer.clear();
    known_ = 0;
  }

  Status Restore(const ForwardPlan& plan, std::size_t pack) override {
    return Guarded(kForwardPass, [&]() -> Status {
      TRY(CheckPack(plan, plan.packs[pack]));
      PutZerosForAncestors(plan, plan.packs[pack]);
      TRY(Forward(plan, pack));
      return {};
    });
  }

  void Attach(ForwardHook* hook) override { hook_ = hook; }

  Result<LoadReport> FinishLoading() override { return incoming_->Finish(); }

 private:
  void PutZerosForAncestors(const ForwardPlan& plan, const ForwardPack& pack) {
    for (std::int32_t at = pack.segment_begin; at < pack.segment_end; ++at) {
      for (std::int32_t above = plan.segments[at].parent; above >= 0;
           above = plan.segments[above].parent) {
        if (above >= pack.segment_begin || kept_[0].contains(above)) continue;
        const Segment& segment = plan.segments[above];
        for (std::size_t index = 0; index < kept_.size(); ++index) {
          const LayerConfig& layer = config_.layer[index];
          if (layer.keys_of) continue;
          const std::int64_t shape[] = {segment.end - segment.begin, layer.kv_heads,
                                        layer.head_dim};
          kept_[index][above] = {factory_.Empty(shape).zero_(), factory_.Empty(shape).zero_()};
        }
      }
    }
  }

  // Makes both parts of a growing text one.
  void JoinText() {
    for (auto& layer : kept_) {
      const auto added = layer.find(1);
      if (added == layer.end()) continue;
      KeysValues& whole = layer.at(0);
      whole.keys = at::cat({whole.keys, added->second.keys});
      whole.values = at::cat({whole.values, added->second.values});
      layer.erase(added);
    }
  }

  static Status CheckLogits(std::span<const float> logits) {
    if (std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); })) return {};
    return Fail(ErrorKind::kInvalidData, "the model's logits are NaN or infinite",
                std::string(kDiverged));
  }

  Status CheckPack(const ForwardPlan& plan, const ForwardPack& pack) const {
    for (std::int64_t row = pack.token_begin; row < pack.token_end; ++row) {
      TRY(CheckToken(plan.tokens[row]));
    }
    for (std::int64_t read = pack.read_begin; read < pack.read_end; ++read) {
      TRY(CheckToken(plan.reads[read].target));
    }
    for (std::int32_t at = pack.segment_begin; at < pack.segment_end; ++at) {
      const Segment& segment = plan.segments[at];
      const std::int64_t length = segment.position + (segment.end - segment.begin);
      if (length > config_.max_positions) {
        return Fail(ErrorKind::kInvalidData,
                    fmt::format("a sequence of {} tokens is longer than the model's {} positions",
                                length, config_.max_positions));
      }
    }
    return {};
  }

  Status CheckToken(TokenId token) const {
    if (token >= 0 && token < config_.vocab_size) return {};
    return Fail(ErrorKind::kInvalidData,
                fmt::format("token id {} is outside the model's vocabulary of {}", token,
                            config_.vocab_size),
                "the tokenizer does not belong to this model");
  }

  // The residual stream after the last layer: [rows, hidden], of the pack's rows with the indices
  // `wanted` only where that is defined.
  Result<at::Tensor> Forward(const ForwardPlan& plan, std::size_t pack_index,
                             const at::Tensor& wanted = {}) {
    const ForwardPack& pack = plan.packs[pack_index];
    const at::Tensor positions = factory_.Indices(RowPositions(plan, pack));
    const PackAttention attention(plan, pack_index, factory_, kernel_);
    const at::Tensor ids =
        factory_.TokenIds(std::span(plan.tokens)
                              .subspan(static_cast<std::size_t>(pack.token_begin),
                                       static_cast<std::size_t>(pack.rows())));
    at::Tensor x = Embed(config_, weights_, factory_, ids, positions);
    const LayerContext context{config_,
                               factory_,
                               attention,
                               tables_.At(plan, pack),
                               KeyBias(plan, pack),
                               InputsOfLayers(config_, weights_, factory_, ids, x),
                               hook_};
    if (hook_ != nullptr) hook_->OnResidual(0, x);
    for (std::size_t index = 0; index < config_.layer.size(); ++index) {
      const LayerWeights* weights = TRY(incoming_->Layer(index));
      const std::size_t source = config_.layer[index].keys_of.value_or(index);
      const auto shared = shared_.find(source);
      const bool is_last = index + 1 == config_.layer.size();
      const KeysValues own = RunLayer(context, *weights, index,
                                      {kept_[source], source == index ? nullptr : &shared->second},
                                      is_last && hook_ == nullptr ? wanted : at::Tensor(), x);
      if (is_source_[index]) {
        shared_[index] = own;
      } else if (source == index) {
        Keep(plan, pack_index, own, kept_[index]);
      }
      if (hook_ != nullptr) hook_->OnResidual(static_cast<std::int64_t>(index) + 1, x);
    }
    for (const auto& [index, own] : shared_) Keep(plan, pack_index, own, kept_[index]);
    shared_.clear();
    if (hook_ == nullptr) return x;
    hook_->OnOutput(HeadInput(config_, weights_, x), weights_.head.weight);
    return wanted.defined() ? x.index_select(0, wanted) : x;
  }

  // ALiBi's biases of all positions up to the pack's last, for AttentionRule.
  at::Tensor KeyBias(const ForwardPlan& plan, const ForwardPack& pack) {
    const Alibi& alibi = config_.alibi;
    if (alibi.slopes.empty()) return {};
    const std::int64_t needed = std::ranges::max(RowPositions(plan, pack)) + 1;
    const std::int64_t there = key_bias_.defined() ? key_bias_.size(1) : 0;
    if (there >= needed) return key_bias_;
    const std::int64_t length = std::max(needed, 2 * there);
    std::vector<float> values;
    for (const float slope : alibi.slopes) {
      for (std::int64_t position = 0; position < length; ++position) {
        const auto distance = static_cast<float>(position);
        values.push_back(alibi.is_rounded_and_scaled
                             ? RoundedProduct(slope, distance) *
                                   static_cast<float>(config_.attention_scale)
                             : slope * distance);
      }
    }
    key_bias_ = factory_.Values(values, {config_.heads, length}, at::ScalarType::Float);
    return key_bias_;
  }

  // As bf16 computes it.
  static float RoundedProduct(float a, float b) {
    const auto round = [](float value) { return static_cast<float>(c10::BFloat16(value)); };
    return round(round(a) * round(b));
  }

  // Copies what later packs attend to and drops what none does.
  static void Keep(const ForwardPlan& plan, std::size_t pack_index, const KeysValues& own,
                   std::map<std::int32_t, KeysValues>& kept) {
    const ForwardPack& pack = plan.packs[pack_index];
    const auto now = static_cast<std::int32_t>(pack_index);
    std::erase_if(kept,
                  [&](const auto& entry) { return plan.segments[entry.first].last_pack <= now; });
    for (std::int32_t at = pack.segment_begin; at < pack.segment_end; ++at) {
      const Segment& segment = plan.segments[at];
      if (segment.last_pack <= now) continue;
      const std::int64_t first = segment.begin - pack.token_begin;
      const std::int64_t count = segment.end - segment.begin;
      kept[at] = {own.keys.narrow(0, first, count).clone(at::MemoryFormat::Contiguous),
                  own.values.narrow(0, first, count).clone(at::MemoryFormat::Contiguous)};
    }
  }

  at::Tensor AllLogits(const at::Tensor& hidden) const {
    return LogitsOf(config_, weights_, HeadInput(config_, weights_, hidden), 0, config_.vocab_size);
  }

  struct RowsRead {
    std::vector<std::int64_t> rows;    // of the pack, each once
    std::vector<std::int64_t> row_of;  // of each read, in `rows`
  };

  static RowsRead RowsReadOf(const ForwardPlan& plan, const ForwardPack& pack) {
    RowsRead read;
    for (std::int64_t at = pack.read_begin; at < pack.read_end; ++at) {
      const std::int64_t row = plan.reads[static_cast<std::size_t>(at)].row - pack.token_begin;
      if (read.rows.empty() || read.rows.back() != row) read.rows.push_back(row);
      read.row_of.push_back(static_cast<std::int64_t>(read.rows.size()) - 1);
    }
    return read;
  }

  // Logits exist only for rows that are read: hidden [rows read, hidden].
  Status Score(const ForwardPlan& plan, const ForwardPack& pack, const at::Tensor& hidden,
               std::span<const std::int64_t> row_of, std::span<TokenScore> scores) const {
    const auto first_read = static_cast<std::size_t>(pack.read_begin);
    const at::Tensor read = HeadInput(config_, weights_, hidden);
    const auto logits = [&](std::int64_t row, std::int64_t count, std::int64_t first,
                            std::int64_t tokens) {
      return LogitsOf(config_, weights_, read.narrow(0, row, count), first, tokens);
    };
    TRY(ScoreRows(hidden.size(0), config_.vocab_size, logits,
                  std::span(plan.reads).subspan(first_read, row_of.size()), row_of, factory_, cuda_,
                  scores.subspan(first_read, row_of.size())));
    return CheckScores(plan, pack, scores);
  }

  static Status CheckScores(const ForwardPlan& plan, const ForwardPack& pack,
                            std::span<const TokenScore> scores) {
    for (std::int64_t read = pack.read_begin; read < pack.read_end; ++read) {
      if (std::isfinite(scores[static_cast<std::size_t>(read)].log_probability)) continue;
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("the model's logits are NaN or infinite (predicting token id {})",
                              plan.reads[static_cast<std::size_t>(read)].target),
                  std::string(kDiverged));
    }
    return {};
  }

  const ModelConfig config_;
  const std::unique_ptr<IncomingWeights> incoming_;
  const Weights& weights_;  // incoming_'s, outside the layers
  const TensorFactory factory_;
  const CudaHalf cuda_;
  const AttentionKernel kernel_;
  RotaryTables tables_;
  at::Tensor key_bias_;
  ForwardHook* hook_ = nullptr;
  std::size_t known_ = 0;        // tokens of the growing text whose keys and values are kept
  std::vector<bool> is_source_;  // per layer: a later one reads its keys and values
  std::map<std::size_t, KeysValues> shared_;              // those of the pack that runs
  std::vector<std::map<std::int32_t, KeysValues>> kept_;  // per layer: segment → keys and values
};

Status CheckMemory(const ModelConfig& config, const TensorFactory& factory,
                   std::int64_t limit_bytes) {
  const std::int64_t bytes =
      ParameterCount(config) * static_cast<std::int64_t>(c10::elementSize(factory.dtype()));
  if (limit_bytes <= 0 || bytes <= limit_bytes) return {};
  return Fail(ErrorKind::kExhausted,
              fmt::format("the weights take {} MiB and the memory limit is {} MiB", bytes >> 20,
                          limit_bytes >> 20),
              "raise evaluation.memory_limit, or compute in bf16 on a GPU");
}

}  // namespace

Result<std::unique_ptr<Decoder>> StartDecoder(const TensorSource& source, const ModelConfig& config,
                                              const Place& place, const DecoderOptions& options) {
  const TensorFactory factory(place);
  TRY(CheckMemory(config, factory, options.memory_limit_bytes));
  return std::make_unique<TorchDecoder>(config, TRY(LoadWeights(source, config, factory)), place,
                                        options.batched_attention);
}

Result<LoadedDecoder> LoadDecoder(const TensorSource& source, const ModelConfig& config,
                                  const Place& place, const DecoderOptions& options) {
  LoadedDecoder loaded;
  loaded.decoder = TRY(StartDecoder(source, config, place, options));
  loaded.report = TRY(loaded.decoder->FinishLoading());
  return loaded;
}

void SetComputeThreads(int threads) { at::set_num_threads(std::max(1, threads)); }

int ComputeThreads() { return at::get_num_threads(); }

}  // namespace couplingd
