// The reference panel: published scores of base models, their sources and their flaws.
#pragma once

#include <Eigen/Dense>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace couplingd {

// What the cleaned view does about a flaw.
enum class FlawTreatment { kKept, kCorrected, kExcluded };
std::string_view ToString(FlawTreatment treatment);  // "kept", "corrected", "excluded"

struct PanelFlaw {
  std::string name;  // "duplicate-model"
  FlawTreatment treatment = FlawTreatment::kKept;
  std::string explanation;
};

// One model with one set of scores, zero- or few-shot as its source had it. Fractions.
struct PanelModel {
  std::string model;
  std::string family;
  double parameters = 0;
  std::optional<int> d_model;
  std::optional<double> hellaswag;   // acc_norm
  std::optional<double> truthfulqa;  // MC2
  std::optional<double> arc_challenge, winogrande, mmlu;
  std::string source;
  std::string published_family, published_source;  // what the original says
  std::vector<std::string> tables;                 // of the original in which the row stands
  std::vector<std::string> flaws;                  // names of PanelFlaw

  bool StandsIn(std::string_view table) const;
  bool Has(std::string_view flaw) const;
};

// The final training loss of one Pythia.
struct PanelLoss {
  double parameters = 0;
  double loss = 0;  // nats per token
  std::string source;
};

struct BasePanel {
  std::vector<PanelModel> models;  // all rows of all tables
  std::vector<PanelFlaw> flaws;
  std::vector<PanelLoss> pythia_losses;
};

// Reads the three tables of coupling/panel. kInvalidData names file, line and field: a missing
// column, a number that does not parse, a score outside 0 to 100, a flaw that flaws.csv does not
// explain.
Result<BasePanel> ReadBasePanel(std::string_view models_csv, std::string_view flaws_csv,
                                std::string_view losses_csv);

// The panel that is part of the program.
Result<BasePanel> ShippedBasePanel();

// One row per base model that has both default axes: flawed rows left out, families and sources
// corrected.
std::vector<PanelModel> CleanedPanel(const BasePanel& panel);

// The rows of one table of the original ("consolidated", "collected", "bootstrap", "figures") with
// the families and sources it gives, in its order.
std::vector<PanelModel> PublishedPanel(const BasePanel& panel, std::string_view table);

// The rows of one family, smallest first (stable).
std::vector<PanelModel> FamilyOf(const std::vector<PanelModel>& models, std::string_view family);

// Names of the families, in order of first appearance.
std::vector<std::string> FamiliesOf(const std::vector<PanelModel>& models);

// A score of every row; a row without it is left out by the caller first (WithAll).
using PanelScore = std::optional<double> PanelModel::*;
std::vector<PanelModel> WithAll(std::vector<PanelModel> models,
                                const std::vector<PanelScore>& scores);

// REQUIRES: every model has the score. Fractions.
Eigen::VectorXd ScoresOf(const std::vector<PanelModel>& models, PanelScore score);
// Models × scores.
Eigen::MatrixXd ScoreMatrix(const std::vector<PanelModel>& models,
                            const std::vector<PanelScore>& scores);
// log10 of the parameters.
Eigen::VectorXd LogSizesOf(const std::vector<PanelModel>& models);
// HellaSwag, TruthfulQA, ARC, WinoGrande, MMLU.
const std::vector<PanelScore>& FiveScores();

}  // namespace couplingd
