#include "probes/internals/states.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <cstring>

#include "probes/device/factory.h"
#include "probes/model/forward_hook.h"
#include "probes/model/guarded.h"
#include "probes/model/rotary.h"
#include "probes/scoring/planner.h"

namespace couplingd {
namespace {

constexpr std::int64_t kVocabularyBlock = 8192;

// Copies the rows of the prompts' last tokens.
class Collector : public ForwardHook {
 public:
  Collector(const ModelConfig& config, std::size_t prompts, const TensorFactory& factory,
            bool heads)
      : factory_(factory), prompts_(static_cast<Eigen::Index>(prompts)) {
    const auto layers = static_cast<std::size_t>(config.layers);
    states.residual.resize(layers + 1);
    if (heads) states.heads.resize(layers);
  }

  // The prompts whose last token is in the pack that comes next, and its row there.
  void Expect(std::vector<std::int64_t> rows, std::vector<std::size_t> prompts) {
    rows_ = std::move(rows);
    prompt_of_ = std::move(prompts);
  }

  void OnResidual(std::int64_t layer, at::Tensor& residual) override {
    Take(residual, states.residual[static_cast<std::size_t>(layer)]);
  }
  void OnHeads(std::int64_t layer, const at::Tensor& heads) override {
    if (!states.heads.empty()) Take(heads, states.heads[static_cast<std::size_t>(layer) - 1]);
  }
  void OnOutput(const at::Tensor& normalised, const at::Tensor& head) override {
    Take(normalised, states.output);
    head_ = head;
  }

  const at::Tensor& head() const { return head_; }

  PromptStates states;

 private:
  void Take(const at::Tensor& tensor, StateMatrix& into) const {
    if (into.size() == 0) into.setZero(prompts_, tensor.size(1));
    if (rows_.empty()) return;
    const at::Tensor rows = tensor.index_select(0, factory_.Indices(rows_))
                                .to(at::kCPU, at::ScalarType::Float)
                                .contiguous();
    const float* from = rows.const_data_ptr<float>();
    for (const std::size_t prompt : prompt_of_) {
      std::copy_n(from, into.cols(), into.row(static_cast<Eigen::Index>(prompt)).data());
      from += into.cols();
    }
  }

  const TensorFactory& factory_;
  const Eigen::Index prompts_;
  std::vector<std::int64_t> rows_;
  std::vector<std::size_t> prompt_of_;
  at::Tensor head_;
};

// The plan of the scorer, in which each prompt's one read marks the row of its last token.
Result<ScoringPlan> PlanPrompts(std::span<const std::vector<TokenId>> prompts, int token_budget,
                                const ModelConfig& config) {
  std::vector<ScoringRequest> requests;
  for (const std::vector<TokenId>& prompt : prompts) {
    ScoringRequest& request = requests.emplace_back();
    request.tokens = prompt;
    request.scored_from = static_cast<int>(prompt.size());
    request.tokens.push_back(0);
  }
  return PlanScoring(requests, token_budget, LongestShortText(config));
}

Status ForwardAll(Decoder& decoder, ScoringPlan plan, Collector& collector) {
  ForwardPlan& forward = plan.forward;
  std::vector<std::int64_t> row_of_prompt;
  for (std::size_t prompt = 0; prompt + 1 < plan.first_read.size(); ++prompt) {
    const auto read = plan.read_of[static_cast<std::size_t>(plan.first_read[prompt])];
    row_of_prompt.push_back(forward.reads[static_cast<std::size_t>(read)].row);
  }
  forward.reads.clear();  // no logits are wanted
  for (ForwardPack& pack : forward.packs) pack.read_begin = pack.read_end = 0;
  for (std::size_t index = 0; index < forward.packs.size(); ++index) {
    const ForwardPack& pack = forward.packs[index];
    std::vector<std::int64_t> rows;
    std::vector<std::size_t> prompts;
    for (std::size_t prompt = 0; prompt < row_of_prompt.size(); ++prompt) {
      const std::int64_t row = row_of_prompt[prompt];
      if (row < pack.token_begin || row >= pack.token_end) continue;
      rows.push_back(row - pack.token_begin);
      prompts.push_back(prompt);
    }
    collector.Expect(std::move(rows), std::move(prompts));
    TRY(decoder.Run(forward, index, {}));
  }
  return {};
}

Eigen::MatrixXd ToEigen(const at::Tensor& tensor) {
  const at::Tensor here = tensor.to(at::kCPU, at::ScalarType::Double).contiguous();
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const RowMajor>(here.const_data_ptr<double>(), here.size(0), here.size(1));
}

// Calls `take` with blocks of rows of the output matrix.
template <typename Take>
void ForBlocks(const at::Tensor& head, const Take& take) {
  for (std::int64_t first = 0; first < head.size(0); first += kVocabularyBlock) {
    take(head.narrow(0, first, std::min(kVocabularyBlock, head.size(0) - first)));
  }
}

// L Lᵀ − V·m mᵀ for logits L [prompts, V] with row means m.
Eigen::MatrixXd CentredLogitsGram(const at::Tensor& output, const at::Tensor& head) {
  at::Tensor products, sums;
  ForBlocks(head, [&](const at::Tensor& block) {
    const at::Tensor logits = at::linear(output, block).to(at::ScalarType::Double);
    const at::Tensor product = at::matmul(logits, logits.t());
    const at::Tensor sum = logits.sum(1, /*keepdim=*/true);
    products = products.defined() ? products + product : product;
    sums = sums.defined() ? sums + sum : sum;
  });
  return ToEigen(products - at::matmul(sums, sums.t()) / static_cast<double>(head.size(0)));
}

// Wᵀ W of the output matrix less the mean of its rows: [hidden, hidden].
at::Tensor HeadCovariance(const at::Tensor& head) {
  at::Tensor products, sums;
  ForBlocks(head, [&](const at::Tensor& part) {
    const at::Tensor block = part.to(at::ScalarType::Double);
    const at::Tensor product = at::matmul(block.t(), block);
    const at::Tensor sum = block.sum(0, /*keepdim=*/true);
    products = products.defined() ? products + product : product;
    sums = sums.defined() ? sums + sum : sum;
  });
  return products - at::matmul(sums.t(), sums) / static_cast<double>(head.size(0));
}

// Eckart and Young (1936): the best approximation of rank k keeps the k largest singular values.
std::vector<RankGram> RankSweep(const StateMatrix& output, const at::Tensor& head) {
  const auto [values, vectors] = at::linalg_eigh(HeadCovariance(head).to(at::kCPU));
  const Eigen::VectorXd squares = ToEigen(values.unsqueeze(1)).col(0).cwiseMax(0.0);  // ascending
  const Eigen::MatrixXd parts =
      output.cast<double>() * ToEigen(vectors) * squares.cwiseSqrt().asDiagonal();
  std::vector<RankGram> ranks;
  for (std::int64_t rank = 1;; rank *= 2) {
    rank = std::min<std::int64_t>(rank, parts.cols());
    const auto kept = parts.rightCols(rank);
    ranks.push_back({rank, kept * kept.transpose()});
    if (rank == parts.cols()) return ranks;
  }
}

}  // namespace

Result<PromptStates> CollectStates(Decoder& decoder, const Place& place,
                                   std::span<const std::vector<TokenId>> prompts,
                                   const StateOptions& options) {
  const TensorFactory factory(place);
  Collector collector(decoder.config(), prompts.size(), factory, options.heads);
  ScoringPlan plan = TRY(PlanPrompts(prompts, options.token_budget, decoder.config()));
  decoder.Attach(&collector);
  const Status forwarded = ForwardAll(decoder, std::move(plan), collector);
  decoder.Attach(nullptr);
  TRY(forwarded);
  PromptStates& states = collector.states;
  TRY(Guarded("reading the output matrix", [&]() -> Status {
    if (options.logits) {
      const at::Tensor output =
          factory.Values({states.output.data(), static_cast<std::size_t>(states.output.size())},
                         {states.output.rows(), states.output.cols()}, factory.dtype());
      states.logits_gram = CentredLogitsGram(output, collector.head());
    }
    if (options.ranks) states.ranks = RankSweep(states.output, collector.head());
    return {};
  }));
  return std::move(states);
}

}  // namespace couplingd
