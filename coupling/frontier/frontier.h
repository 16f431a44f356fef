// What two scores over models of many labs say: the line between them, who lies off it, and how
// much of it is the passage of time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "coupling/correlation.h"
#include "coupling/frontier/frontier_table.h"
#include "coupling/frontier/saturation.h"
#include "coupling/group_effect.h"
#include "coupling/line_fit.h"

namespace couplingd {

struct FrontierOptions {
  double level = 0.95;
  int top = 5;             // models whose spread is looked at
  int least_models = 3;    // of a lab that is left out in turn, or has a slope
  int replicates = 10000;  // of bootstraps, permutations and nulls
  std::uint64_t seed = 1;
};

enum class FrontierSide { kWithin, kAbove, kBelow };
std::string_view ToString(FrontierSide side);  // "within", "above", "below"

// h = y − (slope·x + intercept), beside how far one more model lies off the line by chance.
struct ModelField {
  double h = 0;
  double half_width = 0;  // t·s·√(1 + 1/n + (x − x̄)²/Σ(x − x̄)²)
  FrontierSide side = FrontierSide::kWithin;
};

struct LabField {
  std::string lab;
  int models = 0;  // that the line is fitted to
  double mean_h = 0;
  std::optional<double> mean_half_width;          // t over the lab's models; 2 of them at least
  std::optional<double> slope, slope_half_width;  // least_models at least
  // The lab left out of the line, then predicted: mean |error|, mean |error| / y, and the mean
  // |error| of predicting the others' mean instead.
  std::optional<double> error, relative_error, constant_error;
};

struct HoldoutSummary {
  int labs = 0;
  double error = 0;           // mean over the labs
  double error_sd = 0;        // between them, over n as published
  double relative_error = 0;  // mean over the labs
  double constant_error = 0;
};

// Models that the line was not fitted to.
struct LaterModels {
  int models = 0;
  int repeated = 0;  // both scores equal those of an earlier model of the lab
  double error = 0;  // mean |error| of the line
  // Mean |error| of the mean y of the fitted models whose x is at least 70 %.
  std::optional<double> constant_error;
  int within = 0;               // of their own intervals
  std::optional<double> r_all;  // of the fitted and the later models together
};

struct FrontierReport {
  LineFit line;
  Correlation correlation;
  std::optional<Interval> lab_interval;  // of r, labs drawn with replacement
  int labs = 0;
  std::optional<Correlation> upper;       // of the fitted models with x of at least 70 %
  std::optional<Correlation> given_date;  // r with the date held; n are the dated ones
  std::string given_date_reason;          // why there is none
  std::optional<GroupEffect> lab_effect;  // of h
  std::vector<ModelField> models;         // as in the table
  std::vector<LabField> lab_fields;       // most models first
  std::optional<HoldoutSummary> holdout;  // over labs of at least least_models
  std::optional<LaterModels> later;
  // Top by x, then by y; and the same with the later models in.
  std::vector<Saturation> saturation, saturation_with_later;
};

// Above this x the benchmarks' upper end begins, where the models of one time are compared.
inline constexpr double kUpperScores = 0.7;

// Needs 4 models that the line may be fitted to, with x that varies; fails otherwise. Pure: the
// same table, options and seed give the same bits.
Result<FrontierReport> AnalyseFrontier(const FrontierTable& table, const FrontierOptions& options);

// h of every model of the table against this line.
std::vector<double> FieldsOf(const FrontierTable& table, const LineFit& line);

}  // namespace couplingd
