#include "queries/intervention_grades.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "coupling/intervention_grade.h"
#include "records/finding_fields.h"

namespace couplingd {
namespace {

bool IsOverScale(const Finding& finding) {
  return LabelOf(finding, "over") == ToString(CouplingOver::kScale);
}

// γ as the alert fired with it; absent where it is not about γ. An end that is missing was
// infinite.
std::optional<CouplingEstimate> FiredWith(const Finding& finding) {
  const auto gamma = ValueOf(finding, "gamma");
  if (!gamma) return std::nullopt;
  CouplingEstimate before{
      .family = LabelOf(finding, "family"),
      .run = LabelOf(finding, "run"),
      .axes = LabelOf(finding, "axes"),
      .over = IsOverScale(finding) ? CouplingOver::kScale : CouplingOver::kSteps};
  before.at = ValueOf(finding, IsOverScale(finding) ? "parameters" : "step").value_or(0);
  before.gamma = gamma;
  before.low = ValueOf(finding, "low").value_or(-INFINITY);
  before.high = ValueOf(finding, "high").value_or(INFINITY);
  before.level = ValueOf(finding, "level").value_or(before.level);
  before.n = static_cast<int>(ValueOf(finding, "n").value_or(0));
  return before;
}

// Whether the estimate is of what the alert is about, on whatever axes.
bool IsAbout(const Finding& finding, const CouplingEstimate& estimate) {
  const bool over_scale = IsOverScale(finding);
  if ((estimate.over == CouplingOver::kScale) != over_scale) return false;
  // Over scale the whole family counts, not the steps between neighbouring sizes.
  return over_scale ? estimate.family == finding.run && estimate.n > 2
                    : estimate.run == finding.run;
}

}  // namespace

Result<InterventionGrader> InterventionGrader::Read(HistoryReader& history) {
  InterventionGrader grader;
  grader.couplings_ = TRY(history.Couplings({}));
  return grader;
}

std::vector<InterventionGrade> InterventionGrader::Grade(const Alert& alert) const {
  const Finding& finding = alert.finding;
  const std::optional<CouplingEstimate> before = FiredWith(finding);
  const std::string axes = LabelOf(finding, "axes");
  Aftermath after;
  std::set<double> places;
  std::map<std::string, const CouplingEstimate*> others;
  for (const CouplingEstimate& estimate : couplings_) {
    if (!IsAbout(finding, estimate)) continue;
    if (estimate.axes != axes) {
      const CouplingEstimate*& newest = others.try_emplace(estimate.axes, &estimate).first->second;
      if (estimate.at >= newest->at) newest = &estimate;
      continue;
    }
    if (before && estimate.at <= before->at) continue;
    places.insert(estimate.at);
    if (estimate.gamma && (!after.newest || estimate.at >= after.newest->at)) {
      after.newest = estimate;
    }
  }
  after.places = static_cast<int>(places.size());
  for (const auto& [name, estimate] : others) after.other_pairs.push_back(*estimate);
  std::vector<InterventionGrade> grades;
  for (const Intervention& intervention : finding.interventions)
    grades.push_back(GradeIntervention(intervention, before, after));
  return grades;
}

}  // namespace couplingd
