#include "probes/model/decoder.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "probes/model/attention.h"
#include "probes/model/guarded.h"
#include "probes/model/layer_operations.h"
#include "probes/model/rotary.h"
#include "probes/model/row_scores.h"
#include "probes/model/row_tiles.h"
#include "probes/model/weights.h"

namespace couplingd {
namespace {

constexpr std::string_view kForwardPass = "the forward pass";
constexpr std::string_view kDiverged =
    "the weights are finite but overflow; the training run has probably diverged";

// cos and sin of every position's angles: [positions, rotary_dim / 2].
struct RotaryTable {
  at::Tensor cos, sin;
  std::int64_t positions = 0;

  RotaryTable Rows(std::int64_t begin, std::int64_t count) const {
    return {cos.narrow(0, begin, count), sin.narrow(0, begin, count), count};
  }
};

class TorchDecoder : public Decoder {
 public:
  TorchDecoder(ModelConfig config, Weights weights, const Place& place, bool plain_attention)
      : config_(std::move(config)),
        weights_(std::move(weights)),
        factory_(place),
        cuda_(place.cuda),
        kernel_(plain_attention ? AttentionKernel::kPlain : AttentionKernelFor(factory_.device())),
        kept_(static_cast<std::size_t>(config_.layers)) {}

  const ModelConfig& config() const override { return config_; }

  Status Run(const ForwardPlan& plan, std::size_t pack, std::span<TokenScore> scores) override {
    return Guarded(kForwardPass, [&]() -> Status {
      if (pack == 0) Forget();
      TRY(CheckPack(plan, plan.packs[pack]));
      const at::Tensor hidden = Forward(plan, pack);
      return Score(plan, plan.packs[pack], hidden, scores);
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
      const at::Tensor rows = HeadOf(Forward(plan, 0)).to(at::kCPU, at::ScalarType::Float);
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
      const at::Tensor hidden = Forward(plan, plan.packs.size() - 1);
      JoinText();
      const at::Tensor row = HeadOf(hidden.narrow(0, hidden.size(0) - 1, 1));
      const at::Tensor here = row.to(at::kCPU, at::ScalarType::Float).contiguous();
      logits.assign(here.const_data_ptr<float>(), here.const_data_ptr<float>() + here.numel());
      return CheckLogits(logits);
    });
    known_ = run ? text.size() : 0;
    TRY(run);
    return logits;
  }

  void Attach(ForwardHook* hook) override { hook_ = hook; }

 private:
  void Forget() {
    for (auto& layer : kept_) layer.clear();
    known_ = 0;
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

  // The residual stream after the last layer: [rows, hidden].
  at::Tensor Forward(const ForwardPlan& plan, std::size_t pack_index) {
    const ForwardPack& pack = plan.packs[pack_index];
    const at::Tensor positions = Positions(plan, pack);
    const RotaryTable angles = Angles(plan, pack, positions);
    const PackAttention attention(plan, pack_index, factory_, kernel_);

    at::Tensor x = Embed(plan, pack, positions);
    if (hook_ != nullptr) hook_->OnResidual(0, x);
    for (std::size_t index = 0; index < weights_.layers.size(); ++index) {
      const LayerWeights& layer = weights_.layers[index];
      const KeysValues own = Attention(layer, index, attention, angles, x);
      Keep(plan, pack_index, own, kept_[index]);
      if (hook_ != nullptr) hook_->OnResidual(static_cast<std::int64_t>(index) + 1, x);
    }
    if (hook_ != nullptr)
      hook_->OnOutput(Normalise(config_, weights_.final_norm, x), weights_.head);
    return x;
  }

  at::Tensor Positions(const ForwardPlan& plan, const ForwardPack& pack) const {
    std::vector<std::int64_t> positions;
    positions.reserve(static_cast<std::size_t>(pack.rows()));
    for (std::int32_t at = pack.segment_begin; at < pack.segment_end; ++at) {
      const Segment& segment = plan.segments[at];
      for (std::int64_t i = 0; i < segment.end - segment.begin; ++i) {
        positions.push_back(segment.position + i);
      }
    }
    return factory_.Indices(positions);
  }

  at::Tensor Embed(const ForwardPlan& plan, const ForwardPack& pack,
                   const at::Tensor& positions) const {
    const at::Tensor ids =
        factory_.TokenIds(std::span(plan.tokens)
                              .subspan(static_cast<std::size_t>(pack.token_begin),
                                       static_cast<std::size_t>(pack.rows())));
    at::Tensor x = weights_.embedding.index_select(0, ids);
    if (weights_.positions.defined()) x.add_(weights_.positions.index_select(0, positions));
    return x;
  }

  // The table's rows for the pack, shaped [rows, 1, rotary_dim / 2].
  RotaryTable Angles(const ForwardPlan& plan, const ForwardPack& pack,
                     const at::Tensor& positions) {
    if (config_.rotary == Rotary::kNone) return {};
    std::int64_t needed = 0;
    for (std::int32_t at = pack.segment_begin; at < pack.segment_end; ++at) {
      const Segment& segment = plan.segments[at];
      needed = std::max(needed, segment.position + (segment.end - segment.begin));
    }
    if (needed > table_.positions) table_ = MakeTable(needed);
    return {table_.cos.index_select(0, positions).unsqueeze(1),
            table_.sin.index_select(0, positions).unsqueeze(1), pack.rows()};
  }

  RotaryTable MakeTable(std::int64_t positions) const {
    const std::vector<float> frequencies = InverseFrequencies(config_);
    std::vector<float> cos, sin;
    for (std::int64_t position = 0; position < positions; ++position) {
      for (const float frequency : frequencies) {
        const float angle = static_cast<float>(position) * frequency;
        cos.push_back(std::cos(angle));
        sin.push_back(std::sin(angle));
      }
    }
    const std::int64_t shape[] = {positions, static_cast<std::int64_t>(frequencies.size())};
    return {factory_.Values(cos, shape, factory_.dtype()),
            factory_.Values(sin, shape, factory_.dtype()), positions};
  }

  // One layer, in place on x. Gives the keys and values of the pack's rows.
  KeysValues Attention(const LayerWeights& layer, std::size_t index, const PackAttention& attention,
                       const RotaryTable& angles, at::Tensor& x) const {
    const std::int64_t rows = x.size(0);
    const std::int64_t heads = config_.heads, kv_heads = config_.kv_heads;
    const at::Tensor fused = factory_.Empty({rows, heads + 2 * kv_heads, config_.head_dim});
    ForEachTile(factory_.device(), rows, [&](std::int64_t begin, std::int64_t count) {
      const at::Tensor tile = fused.narrow(0, begin, count);
      const at::Tensor normalised = Normalise(config_, layer.first_norm, x.narrow(0, begin, count));
      tile.copy_(Project(layer.qkv, normalised).view(tile.sizes()));
      if (config_.rotary != Rotary::kNone) {
        Rotate(tile.narrow(1, 0, heads + kv_heads), angles.Rows(begin, count));
      }
    });
    const KeysValues own{fused.narrow(1, heads, kv_heads),
                         fused.narrow(1, heads + kv_heads, kv_heads)};
    const at::Tensor of_heads =
        attention.Attend(fused.narrow(1, 0, heads), own, kept_[index], ScaleOf(index));
    if (hook_ != nullptr) hook_->OnHeads(static_cast<std::int64_t>(index) + 1, of_heads);
    ForEachTile(factory_.device(), rows, [&](std::int64_t begin, std::int64_t count) {
      at::Tensor tile = x.narrow(0, begin, count);
      const at::Tensor attended = Project(layer.output, of_heads.narrow(0, begin, count));
      if (config_.residual == Residual::kParallel) {
        const at::Tensor mlp = Mlp(config_, layer, Normalise(config_, layer.second_norm, tile));
        tile.add_(attended).add_(mlp);
      } else {
        tile.add_(attended);
        tile.add_(Mlp(config_, layer, Normalise(config_, layer.second_norm, tile)));
      }
    });
    return own;
  }

  double ScaleOf(std::size_t layer) const {
    double scale =
        config_.scale_attention ? 1 / std::sqrt(static_cast<double>(config_.head_dim)) : 1.0;
    if (config_.scale_attention_by_layer) scale /= static_cast<double>(layer + 1);
    return scale;
  }

  // heads: [rows, heads, head_dim], in place.
  void Rotate(const at::Tensor& heads, const RotaryTable& angles) const {
    const std::int64_t half = config_.rotary_dim / 2;
    at::Tensor first = heads.narrow(2, 0, half);
    at::Tensor second = heads.narrow(2, half, half);
    const at::Tensor turned = first * angles.cos - second * angles.sin;
    second.mul_(angles.cos).add_(first * angles.sin);
    first.copy_(turned);
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

  at::Tensor HeadOf(const at::Tensor& hidden) const {
    return LogitsOf(Normalise(config_, weights_.final_norm, hidden), 0, config_.vocab_size);
  }

  // Of tokens [first, first + count).
  at::Tensor LogitsOf(const at::Tensor& normalised, std::int64_t first, std::int64_t count) const {
    return Project({weights_.head.narrow(0, first, count), {}, {}}, normalised);
  }

  // Logits exist only for rows that are read.
  Status Score(const ForwardPlan& plan, const ForwardPack& pack, const at::Tensor& hidden,
               std::span<TokenScore> scores) const {
    std::vector<std::int64_t> rows;    // of the pack, each once
    std::vector<std::int64_t> row_of;  // of each read, in `rows`
    for (std::int64_t read = pack.read_begin; read < pack.read_end; ++read) {
      const std::int64_t row = plan.reads[static_cast<std::size_t>(read)].row - pack.token_begin;
      if (rows.empty() || rows.back() != row) rows.push_back(row);
      row_of.push_back(static_cast<std::int64_t>(rows.size()) - 1);
    }
    const auto first_read = static_cast<std::size_t>(pack.read_begin);
    const at::Tensor read =
        Normalise(config_, weights_.final_norm, hidden.index_select(0, factory_.Indices(rows)));
    const auto logits = [&](std::int64_t row, std::int64_t count, std::int64_t first,
                            std::int64_t tokens) {
      return LogitsOf(read.narrow(0, row, count), first, tokens);
    };
    TRY(ScoreRows(static_cast<std::int64_t>(rows.size()), config_.vocab_size, logits,
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
  const Weights weights_;
  const TensorFactory factory_;
  const CudaHalf cuda_;
  const AttentionKernel kernel_;
  RotaryTable table_;
  ForwardHook* hook_ = nullptr;
  std::size_t known_ = 0;  // tokens of the growing text whose keys and values are kept
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

Result<LoadedDecoder> LoadDecoder(const TensorSource& source, const ModelConfig& config,
                                  const Place& place, const DecoderOptions& options) {
  const TensorFactory factory(place);
  TRY(CheckMemory(config, factory, options.memory_limit_bytes));
  LoadedWeights loaded = TRY(LoadWeights(source, config, factory));
  return LoadedDecoder{std::make_unique<TorchDecoder>(config, std::move(loaded.weights), place,
                                                      options.plain_attention),
                       std::move(loaded.hash), std::move(loaded.notes)};
}

void SetComputeThreads(int threads) { at::set_num_threads(std::max(1, threads)); }

}  // namespace couplingd
