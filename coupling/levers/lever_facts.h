// What was published about levers and about the inside of models: stored results and typed
// constants, each with its source.
#pragma once

#include <Eigen/Dense>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace couplingd {

// One number for how a model couples two sets of prompts inside. Values of two protocols are never
// compared.
struct InternalCoupling {
  std::string model, family;
  double parameters = 0;
  std::string protocol;               // a key of LeverFacts::protocols
  bool protocol_is_inferred = false;  // from how the values look
  double net = 0;
  std::optional<double> units;                  // heads that were measured
  std::optional<double> cooperative_fraction;   // of them
  std::optional<double> competing;              // heads, not a share
  std::optional<double> layer_low, layer_high;  // of the layers' means
  std::vector<std::string> flaws;
  std::string source;
};

// Cosines between two sets of prompts before and after the output projection, and with the hidden
// state passed through a GELU ("widened" in the original).
struct ProjectionCosines {
  double hidden = 0, logits = 0, widened = 0;
};
struct OutputProjection {
  std::string model;
  int width = 0;
  int prompts = 0;             // per set
  ProjectionCosines of_means;  // cosine of the sets' means
  ProjectionCosines paired;    // mean over pairs of prompts
  std::string source;
};

// Outputs that differ with and without steering.
struct SteeringCount {
  std::string model;
  int changed = 0, total = 0;
  std::string decoding, source;
  std::vector<std::string> flaws;
};

struct GradientNorms {
  std::string model;
  double parameters = 0;
  double loss = 0;
  Eigen::VectorXd norms;  // of single batches
  std::string source;
};

struct TypedEigenvalues {
  Eigen::VectorXd parameters;
  Eigen::VectorXd first, second;
  std::optional<Eigen::VectorXd> d_eff, loading;  // typed beside them
  std::string source;
};

struct PhaseTransfer {
  Eigen::MatrixXd tax, bonus;                  // ODE coefficients
  Eigen::MatrixXd tax_vectors, bonus_vectors;  // typed
  double stored_error = 0;
  std::string source;
};

struct LeverFacts {
  std::map<std::string, std::string> protocols, flaws;  // explained
  std::vector<InternalCoupling> internal;
  std::vector<OutputProjection> projections;
  std::vector<SteeringCount> steering;
  std::vector<GradientNorms> gradients;
  std::vector<TypedEigenvalues> eigenvalues;
  PhaseTransfer transfer;
  std::map<std::string, double> phase_rates;  // slope of HellaSwag in TruthfulQA's rate, stored
  double line_slope = 0, line_intercept = 0;  // γ12 = slope·log10 N + intercept, as printed
};

// kInvalidData names the source and the field; a flaw or a protocol that is not explained is one.
Result<LeverFacts> ReadLeverFacts(std::string_view json, std::string_view source);

// What is part of the program.
Result<LeverFacts> ShippedLevers();

// The measurement of this model by this protocol, from a run file where there are several; nullptr
// where there is none.
const InternalCoupling* FindInternal(const LeverFacts& facts, std::string_view model,
                                     std::string_view protocol);

}  // namespace couplingd
