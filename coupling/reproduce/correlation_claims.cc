#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "coupling/correlation.h"
#include "coupling/reproduce/base_claims.h"

namespace couplingd {
namespace {

using enum ReproductionVerdict;

using Models = std::vector<PanelModel>;

constexpr double kSplit = 3.5e9;  // the published N_c
constexpr double kLaterSplit = 7e9;
constexpr double kTruthfulQuestions = 817;

template <typename Keep>
Models Those(const Models& models, Keep keep) {
  Models kept;
  std::ranges::copy_if(models, std::back_inserter(kept), keep);
  return kept;
}

Models Between(const Models& models, double low, double high) {
  return Those(models,
               [&](const PanelModel& m) { return low <= m.parameters && m.parameters < high; });
}

Result<Correlation> Correlate(const Models& models, PanelScore a, PanelScore b) {
  return PearsonCorrelation(ScoresOf(models, a), ScoresOf(models, b));
}
Result<Correlation> CorrelateAxes(const Models& models) {
  return Correlate(models, &PanelModel::hellaswag, &PanelModel::truthfulqa);
}

ReproducedRow RowOf(std::string quantity, std::optional<double> published, const Correlation& found,
                    ReproductionVerdict verdict, std::string reason) {
  return {.quantity = std::move(quantity),
          .published = published,
          .recomputed = found.r,
          .low = found.interval.low,
          .high = found.interval.high,
          .verdict = verdict,
          .reason = std::move(reason)};
}

}  // namespace

Claim PythiaCorrelation(const PublishedData& data, const ReproduceOptions&) {
  const Correlation found = TRY(CorrelateAxes(FamilyOf(CleanedPanel(data.base), "Pythia")));
  return std::vector<ReproducedRow>{
      RowOf("r(HellaSwag, TruthfulQA) of Pythia", -0.989, found, kHolds,
            fmt::format("{} models of one family; p {:.2g}", found.n, found.p)),
      {.quantity = "p of that r",
       .published = 3.6e-6,
       .recomputed = found.p,
       .verdict = kHolds,
       .reason =
           "two-sided, t with 6 degrees of freedom; the eight sizes share their training data"}};
}

Claim BasePanelCorrelation(const PublishedData& data, const ReproduceOptions&) {
  const Models all = PublishedPanel(data.base, "consolidated");
  const Correlation whole = TRY(CorrelateAxes(all));
  std::vector<ReproducedRow> rows = {
      RowOf("r(HellaSwag, TruthfulQA) of the base panel", 0.682, whole, kWrong,
            fmt::format("{} rows as published, p {:.2f}; the cleaned panel gives {:.3f}", whole.n,
                        whole.p, TRY(CorrelateAxes(CleanedPanel(data.base))).r))};
  rows.push_back({.quantity = "Bayes factor of that r",
                  .published = 72.9,
                  .reason = "no code and no prior were published for it; its r is wrong already"});
  struct Band {
    const char* name;
    double low, high, published;
    ReproductionVerdict verdict;
    const char* reason;
  };
  const Models five = WithAll(all, FiveScores());
  for (const Band& band :
       {Band{"below 3.5B", 0, kSplit, 0.003, kWrong, "printed as no correlation"},
        Band{"3.5B to 30B", kSplit, 30e9, 0.34, kWeak, "the interval holds zero"},
        Band{"30B and more", 30e9, INFINITY, 0.64, kHolds, "Llama-3 70B stands in it twice"}}) {
    const Models members = Between(five, band.low, band.high);
    const Correlation found = TRY(CorrelateAxes(members));
    const Correlation with_all = TRY(CorrelateAxes(Between(all, band.low, band.high)));
    rows.push_back(RowOf(fmt::format("r(HellaSwag, TruthfulQA) of models {}", band.name),
                         band.published, found, band.verdict,
                         fmt::format("{} of {} rows have all five scores, r of all {:.2f}; {}",
                                     found.n, with_all.n, with_all.r, band.reason)));
  }
  return rows;
}

namespace {

// Where γ between neighbouring sizes first becomes positive; absent where it never does.
struct Flip {
  double below = 0, above = 0;  // parameters
};
std::optional<Flip> FirstFlip(const Models& sizes) {
  for (std::size_t k = 1; k < sizes.size(); ++k) {
    const double gamma = (*sizes[k].truthfulqa - *sizes[k - 1].truthfulqa) /
                         (*sizes[k].hellaswag - *sizes[k - 1].hellaswag);
    if (gamma > 0) return Flip{sizes[k - 1].parameters, sizes[k].parameters};
  }
  return std::nullopt;
}

ReproducedRow FamilyFlip(const Models& panel, const char* family, double published) {
  const Models sizes = FamilyOf(panel, family);
  ReproducedRow row{.quantity = fmt::format("N_c of {}", family),
                    .unit = "parameters",
                    .published = published,
                    .verdict = kWrong};
  const auto flip = FirstFlip(sizes);
  if (!flip) {
    row.reason =
        fmt::format("γ is never positive from {} to {}", sizes.front().model, sizes.back().model);
    return row;
  }
  row.recomputed = std::sqrt(flip->below * flip->above);
  row.low = flip->below;
  row.high = flip->above;
  row.reason = "γ first becomes positive between these two sizes, shown as the interval";
  if (flip->below <= published && published <= flip->above) {
    row.verdict = kWeak;
    row.reason += "; the printed size lies between them";
  }
  return row;
}

// Web-trained families with at least two sizes among the models.
Models WebFamilies(const Models& models) {
  const Models web = Those(models, [](const PanelModel& m) {
    return m.family != "Phi" && !m.family.starts_with("Qwen") && !m.family.starts_with("Gemma");
  });
  return Those(web, [&](const PanelModel& m) { return FamilyOf(web, m.family).size() >= 2; });
}

// Both axes less their family's mean.
struct WithinFamilies {
  Eigen::VectorXd reasoning, truthfulness;
  std::vector<std::string> families;
};
WithinFamilies CentreWithinFamilies(const Models& models) {
  WithinFamilies centred{
      ScoresOf(models, &PanelModel::hellaswag), ScoresOf(models, &PanelModel::truthfulqa), {}};
  for (Eigen::Index k = 0; k < centred.reasoning.size(); ++k) {
    const Models family = FamilyOf(models, models[k].family);
    centred.reasoning[k] -= ScoresOf(family, &PanelModel::hellaswag).mean();
    centred.truthfulness[k] -= ScoresOf(family, &PanelModel::truthfulqa).mean();
    centred.families.push_back(models[k].family);
  }
  return centred;
}

ReproducedRow PooledWithin(std::string quantity, const Models& models,
                           const ReproduceOptions& options) {
  const WithinFamilies centred = CentreWithinFamilies(models);
  const ClusterDraw draw(centred.families);
  const auto families = draw.Clusters();
  const Interval interval =
      CentralInterval(ResampleCorrelation(centred.reasoning, centred.truthfulness, draw,
                                          options.replicates, options.seed),
                      0.95);
  return {.quantity = std::move(quantity),
          .recomputed = PearsonR(centred.reasoning, centred.truthfulness),
          .low = interval.low,
          .high = interval.high,
          .verdict = kHolds,
          .reason = fmt::format(
              "{} models of {} web-trained families, each less its family's mean; interval from "
              "drawing families; other families stand on the other side",
              models.size(), families)};
}

}  // namespace

Claim SignChange(const PublishedData& data, const ReproduceOptions& options) {
  const Models panel = CleanedPanel(data.base);
  std::vector<ReproducedRow> rows;
  for (const auto& [family, published] :
       {std::pair{"OPT", 0.12e9}, std::pair{"Cerebras-GPT", 1.3e9}, std::pair{"BLOOM", 1.7e9},
        std::pair{"GPT-Neo", 1.3e9}, std::pair{"Pythia", 3.5e9}, std::pair{"Falcon", 7e9}}) {
    rows.push_back(FamilyFlip(panel, family, published));
  }
  for (const double split : {kSplit, kLaterSplit}) {
    const std::string size = fmt::format("{:g}B", split / 1e9);
    rows.push_back(PooledWithin("r within web families below " + size,
                                WebFamilies(Between(panel, 0, split)), options));
    rows.push_back(PooledWithin("r within web families from " + size,
                                WebFamilies(Between(panel, split, INFINITY)), options));
  }
  return rows;
}

Claim OlmoCoupling(const PublishedData& data, const ReproduceOptions&) {
  std::vector<ReproducedRow> rows;
  for (const char* table : {"figures", "consolidated"}) {
    const Models olmo = FamilyOf(PublishedPanel(data.base, table), "OLMo");
    const PanelModel &small = olmo[0], &large = olmo[1];
    const double rise = *large.hellaswag - *small.hellaswag;
    double variance = 0;
    for (const PanelModel& model : olmo) {
      variance += *model.truthfulqa * (1 - *model.truthfulqa) / kTruthfulQuestions;
    }
    const double gamma = (*large.truthfulqa - *small.truthfulqa) / rise;
    const double half = NormalCritical(0.95) * std::sqrt(variance) / rise;
    rows.push_back({.quantity = fmt::format("γ12 of OLMo 1B to 7B, table {}", table),
                    .published = 0.0,
                    .recomputed = gamma,
                    .low = gamma - half,
                    .high = gamma + half,
                    .verdict = kWeak,
                    .reason = "compatible with ±0.3: TruthfulQA has 817 questions, and a share of "
                              "them no more than binomial error; the text prints 31.1 for the same "
                              "score"});
  }
  return rows;
}

Claim OtherPairs(const PublishedData& data, const ReproduceOptions&) {
  const Models pythia = FamilyOf(CleanedPanel(data.base), "Pythia");
  const Correlation winogrande =
      TRY(Correlate(pythia, &PanelModel::truthfulqa, &PanelModel::winogrande));
  const Correlation mmlu = TRY(Correlate(pythia, &PanelModel::truthfulqa, &PanelModel::mmlu));
  const char* missing = "the second set of Pythia scores was published without WinoGrande and MMLU";
  return std::vector<ReproducedRow>{
      RowOf("r(TruthfulQA, WinoGrande) of Pythia", -0.941, winogrande, kHolds,
            fmt::format("p {:.1g}", winogrande.p)),
      RowOf("r(TruthfulQA, MMLU) of Pythia", -0.792, mmlu, kWrong,
            fmt::format("p {:.2f}: these models guess on MMLU (24 to 27 %)", mmlu.p)),
      {.quantity = "r(TruthfulQA, WinoGrande), second set", .reason = missing},
      {.quantity = "r(TruthfulQA, MMLU), second set", .reason = missing}};
}

}  // namespace couplingd
