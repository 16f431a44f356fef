#include "probes/internals/internals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/quantiles.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

constexpr int kReplicates = 1000;
constexpr int kRelabellings = 400;
constexpr std::uint64_t kSeed = 1;
constexpr Index kEigenvaluesKept = 8;

MatrixXd GramOf(const StateMatrix& states) {
  const MatrixXd wide = states.cast<double>();
  return wide * wide.transpose();
}

std::string PromptName(const PromptGroups& groups, Index row) {
  if (row < groups.reasoning) return fmt::format("reasoning prompt {}", row);
  if (row < groups.Labelled()) return fmt::format("truthfulness prompt {}", row - groups.reasoning);
  return fmt::format("neutral prompt {}", row - groups.Labelled());
}

Status CheckFinite(const StateMatrix& states, std::size_t layer, const PromptGroups& groups) {
  if (states.allFinite()) return {};
  Index first = -1, count = 0;
  for (Index row = 0; row < states.rows(); ++row) {
    if (states.row(row).allFinite()) continue;
    if (first < 0) first = row;
    ++count;
  }
  return Fail(ErrorKind::kInvalidData,
              fmt::format("the hidden state behind layer {} is NaN or infinite for {} of {} "
                          "prompts, the first of them {}",
                          layer, count, states.rows(), PromptName(groups, first)),
              "the training run has probably diverged; if the dtype is fp16, try fp32");
}

// Counts per relabelling of what competes, over layers or heads.
class RelabelledCounts {
 public:
  void Add(const Eigen::VectorXd& shares) {
    if (counts_.size() == 0) counts_.setZero(shares.size());
    counts_ += (shares.array() > 0.5).cast<double>().matrix();
  }

  CompetingCount Compare(int count) const {
    CompetingCount result{.count = count};
    const auto extreme = static_cast<double>((counts_.array() >= count).count());
    result.relabelled = {counts_.mean(), CentralInterval({counts_.begin(), counts_.end()}, 0.95),
                         (1 + extreme) / static_cast<double>(1 + counts_.size())};
    return result;
  }

 private:
  Eigen::VectorXd counts_;
};

class Analysis {
 public:
  Analysis(const PromptGroups& groups, int heads_per_layer)
      : groups_(groups),
        heads_per_layer_(heads_per_layer),
        draws_(DrawPrompts(groups, kReplicates, kRelabellings, kSeed)) {}

  LayerInternals Layer(int layer, const StateMatrix& residual) {
    const MatrixXd gram = GramOf(residual);
    LayerInternals result{.layer = layer};
    result.coupling = CouplingOfMeans(gram, draws_);
    result.centred = CentredCoupling(gram, draws_);
    result.relabelled = RelabelledCoupling(gram, draws_);
    result.competing_share = CompetingShare(gram, groups_);
    result.d_rep = ParticipationRatio(gram, groups_);
    const Eigen::VectorXd eigenvalues = CovarianceEigenvalues(gram, groups_);
    const Index kept = std::min(kEigenvaluesKept, eigenvalues.size());
    result.eigenvalues.assign(eigenvalues.begin(), eigenvalues.begin() + kept);
    competing_layers_ += Competes(result.competing_share) ? 1 : 0;
    layer_counts_.Add(RelabelledShares(gram, draws_));
    return result;
  }

  void Heads(const StateMatrix& states, LayerInternals& layer) {
    const Index width = states.cols() / heads_per_layer_;
    for (int head = 0; head < heads_per_layer_; ++head) {
      const MatrixXd gram = GramOf(states.middleCols(head * width, width));
      const double share = CompetingShare(gram, groups_);
      layer.competing_heads += Competes(share) ? 1 : 0;
      layer.non_finite_heads += std::isfinite(share) ? 0 : 1;
      layer.head_coupling.push_back(CosineOfMeans(gram, groups_));
      head_counts_.Add(RelabelledShares(gram, draws_));
    }
    competing_heads_ += layer.competing_heads;
  }

  void Output(const PromptStates& states, Internals& into) const {
    const MatrixXd before = GramOf(states.output);
    into.output_coupling = CouplingOfMeans(before, draws_);
    if (states.logits_gram.size() > 0) {
      into.logits_coupling = CouplingOfMeans(states.logits_gram, draws_);
      into.bottleneck = CouplingDifference(before, states.logits_gram, draws_);
    }
    for (const RankGram& rank : states.ranks) {
      into.ranks.push_back({rank.rank, CouplingOfMeans(rank.gram, draws_)});
    }
  }

  void Counts(Internals& into) const {
    into.competing_layers = layer_counts_.Compare(competing_layers_);
    into.competing_heads = head_counts_.Compare(competing_heads_);
  }

 private:
  const PromptGroups groups_;
  const int heads_per_layer_;
  const PromptDraws draws_;
  int competing_layers_ = 0, competing_heads_ = 0;
  RelabelledCounts layer_counts_, head_counts_;
};

void MeanLengths(const EncodedPrompts& encoded, Internals& into) {
  const Index ends[] = {encoded.groups.reasoning, encoded.groups.Labelled(), encoded.groups.All()};
  Index begin = 0;
  for (int group = 0; group < 3; ++group) {
    double tokens = 0;
    for (Index i = begin; i < ends[group]; ++i) {
      tokens += static_cast<double>(encoded.tokens[static_cast<std::size_t>(i)].size());
    }
    into.tokens[group] = tokens / static_cast<double>(ends[group] - begin);
    begin = ends[group];
  }
}

LayerVerdict Judge(const LayerInternals& layer) {
  const Estimate& c = layer.coupling;
  if (layer.reinitialised && *layer.reinitialised >= c.low && *layer.reinitialised <= c.high) {
    return LayerVerdict::kUntrained;
  }
  const Interval& random = layer.relabelled.range;
  const bool as_random = c.value >= random.low && c.value <= random.high;
  return as_random ? LayerVerdict::kRelabelled : LayerVerdict::kStands;
}

}  // namespace

std::string InternalsProtocol(const PromptSet& prompts) { return prompts.name + "-last"; }

std::string_view ToString(LayerVerdict verdict) {
  switch (verdict) {
    case LayerVerdict::kStands:
      return "stands";
    case LayerVerdict::kUntrained:
      return "as untrained";
    case LayerVerdict::kRelabelled:
      return "as relabelled";
  }
  return "stands";
}

Result<EncodedPrompts> EncodePrompts(const PromptSet& prompts, const Tokenizer& tokenizer,
                                     const EncodeOptions& options, std::int64_t vocabulary) {
  EncodedPrompts encoded;
  encoded.groups = {static_cast<Index>(prompts.reasoning.size()),
                    static_cast<Index>(prompts.truthfulness.size()),
                    static_cast<Index>(prompts.neutral.size())};
  for (const auto* texts : {&prompts.reasoning, &prompts.truthfulness, &prompts.neutral}) {
    auto tokens = TRY(EncodeTexts(*texts, tokenizer, options, vocabulary));
    std::ranges::move(tokens, std::back_inserter(encoded.tokens));
  }
  return encoded;
}

Result<Internals> AnalyseStates(const PromptSet& prompts, const EncodedPrompts& encoded,
                                const PromptStates& states, int heads_per_layer) {
  for (std::size_t layer = 0; layer < states.residual.size(); ++layer) {
    TRY(CheckFinite(states.residual[layer], layer, encoded.groups));
  }
  Internals internals{.protocol = InternalsProtocol(prompts),
                      .prompts_hash = prompts.hash,
                      .prompts = encoded.groups,
                      .heads_per_layer = heads_per_layer};
  MeanLengths(encoded, internals);
  Analysis analysis(encoded.groups, heads_per_layer);
  for (std::size_t index = 1; index < states.residual.size(); ++index) {
    LayerInternals layer = analysis.Layer(static_cast<int>(index), states.residual[index]);
    analysis.Heads(states.heads[index - 1], layer);
    internals.non_finite_heads += layer.non_finite_heads;
    layer.verdict = Judge(layer);
    internals.layers.push_back(std::move(layer));
  }
  analysis.Counts(internals);
  analysis.Output(states, internals);
  return internals;
}

void CompareWithReinitialised(Internals& internals, const Internals& reinitialised) {
  for (std::size_t i = 0; i < internals.layers.size(); ++i) {
    LayerInternals& layer = internals.layers[i];
    layer.reinitialised = reinitialised.layers[i].coupling.value;
    layer.verdict = Judge(layer);
  }
  internals.competing_layers.reinitialised = reinitialised.competing_layers.count;
  internals.competing_heads.reinitialised = reinitialised.competing_heads.count;
  internals.bottleneck_reinitialised = reinitialised.bottleneck.value;
}

std::vector<Score> InternalsScores(const Internals& internals) {
  std::vector<Score> scores;
  const std::string task = "internals:" + internals.protocol;
  const auto n = static_cast<std::int64_t>(internals.prompts.Labelled());
  const auto add = [&](std::string metric, double value, std::optional<double> error = {}) {
    if (!std::isfinite(value)) return;
    if (error && !std::isfinite(*error)) error.reset();
    scores.push_back({task, std::move(metric), value, error, n});
  };
  for (const LayerInternals& layer : internals.layers) {
    const auto name = [&](std::string_view metric) {
      return fmt::format("{}_l{}", metric, layer.layer);
    };
    add(name("layer_coupling"), layer.coupling.value, layer.coupling.stderr_value);
    add(name("centred_coupling"), layer.centred.value, layer.centred.stderr_value);
    add(name("relabelled_coupling"), layer.relabelled.mean);
    if (layer.reinitialised) add(name("reinitialised_coupling"), *layer.reinitialised);
    add(name("d_rep"), layer.d_rep.value, layer.d_rep.stderr_value);
  }
  add("competing_layers", internals.competing_layers.count);
  add("competing_heads", internals.competing_heads.count);
  add("non_finite_heads", internals.non_finite_heads);
  add("bottleneck", internals.bottleneck.value, internals.bottleneck.stderr_value);
  return scores;
}

}  // namespace couplingd
