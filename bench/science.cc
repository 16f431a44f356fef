// Computes the cases of bench/oracle/science.py: JSON in, JSON out. bench/science runs both and
// compares.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include "base/json.h"
#include "coupling/correlation.h"
#include "coupling/eigenstructure.h"
#include "coupling/fieller.h"
#include "coupling/ode.h"
#include "coupling/ode_panel.h"
#include "coupling/statistics.h"
#include "coupling/stlsq.h"
#include "coupling/york.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using Numbers = std::vector<double>;

VectorXd Vector(const JsonValue& array) {
  VectorXd vector(static_cast<Index>(array.Size()));
  for (rapidjson::SizeType i = 0; i < array.Size(); ++i) vector[i] = array[i].GetDouble();
  return vector;
}

MatrixXd Matrix(const JsonValue& rows) {
  MatrixXd matrix(static_cast<Index>(rows.Size()), static_cast<Index>(rows[0].Size()));
  for (rapidjson::SizeType i = 0; i < rows.Size(); ++i) matrix.row(i) = Vector(rows[i]).transpose();
  return matrix;
}

// Row by row, as numpy.ravel.
Numbers Flat(const MatrixXd& matrix) {
  const MatrixXd turned = matrix.transpose();
  return {turned.data(), turned.data() + turned.size()};
}

Result<Numbers> Stlsq(const JsonValue& in) {
  const MatrixXd library =
      in.HasMember("states") ? OdeLibrary(Matrix(in["states"]), 2) : Matrix(in["library"]);
  StlsqOptions options{.threshold = in["threshold"].GetDouble(), .ridge = in["alpha"].GetDouble()};
  if (in.HasMember("unbias")) options.unbias = in["unbias"].GetBool();
  if (in.HasMember("normalize_columns")) {
    options.normalize_columns = in["normalize_columns"].GetBool();
  }
  return Flat(TRY(FitStlsq(library, Matrix(in["targets"]), options)));
}

Result<Numbers> York(const JsonValue& in) {
  std::vector<ErrorPoint> points;
  for (rapidjson::SizeType i = 0; i < in["x"].Size(); ++i) {
    points.push_back({in["x"][i].GetDouble(), in["y"][i].GetDouble(),
                      in["variance_x"][i].GetDouble(), in["variance_y"][i].GetDouble(),
                      in["covariance"][i].GetDouble()});
  }
  const YorkFit fit = TRY(FitYork(points));
  return Numbers{fit.slope, fit.intercept, fit.chi_squared};
}

Result<Numbers> Fieller(const JsonValue& in) {
  const RatioEstimate estimate{in["numerator"].GetDouble(), in["denominator"].GetDouble(),
                               in["variance_numerator"].GetDouble(),
                               in["variance_denominator"].GetDouble(),
                               in["covariance"].GetDouble()};
  const FiellerSet set =
      TRY(FiellerInterval(estimate, StudentCritical(0.95, in["dof"].GetDouble())));
  const auto shape = static_cast<double>(static_cast<int>(set.shape));
  if (set.shape == FiellerShape::kEverything) return Numbers{shape};
  return Numbers{shape, set.low, set.high};
}

Result<Numbers> Quantiles(const JsonValue& in) {
  const VectorXd values = Vector(in["values"]), shares = Vector(in["p"]);
  Numbers quantiles;
  for (const double p : shares) quantiles.push_back(Quantile({values.begin(), values.end()}, p));
  return quantiles;
}

Result<Numbers> Critical(const JsonValue& in) {
  const double level = in["level"].GetDouble();
  Numbers values{NormalCritical(level)};
  for (const double dof : Vector(in["dof"])) values.push_back(StudentCritical(level, dof));
  return values;
}

Result<Numbers> Polynomials(const JsonValue& in) {
  const Polynomial fit =
      TRY(FitPolynomial(Vector(in["x"]), Vector(in["y"]), in["degree"].GetInt()));
  Numbers values;
  for (const double at : Vector(in["at"])) values.push_back(fit(at));
  return values;
}

Result<Numbers> Pearson(const JsonValue& in) {
  const Correlation found = TRY(PearsonCorrelation(Vector(in["x"]), Vector(in["y"])));
  return Numbers{found.r, found.p, found.interval.low, found.interval.high};
}

Result<Numbers> Principal(const JsonValue& in) {
  const ScoreMatrixKind kind =
      in["correlation"].GetBool() ? ScoreMatrixKind::kCorrelation : ScoreMatrixKind::kCovariance;
  const VectorXd eigenvalues = TRY(DecomposeScores(Matrix(in["scores"]), kind)).values;
  return Numbers(eigenvalues.begin(), eigenvalues.end());
}

Result<Numbers> Integrated(const JsonValue& in) {
  const OdeModel model{.degree = 2, .coefficients = Matrix(in["coefficients"])};
  const VectorXd start = Vector(in["start"]), at = Vector(in["at"]);
  Numbers values = Flat(TRY(IntegrateOde(model, 0, start, at)));
  values.push_back(FirstSignChange(model, 0, start, at[at.size() - 1], 0, 1).value_or(-1));
  return values;
}

Result<Numbers> PartialPooling(const JsonValue& in) {
  std::vector<OdeGroup> groups;
  for (const JsonValue& group : in["groups"].GetArray()) {
    groups.push_back({"", Vector(group["x"]), Matrix(group["scores"])});
  }
  const PanelOde fit = TRY(FitPanelOde(groups));
  Numbers values = Flat(fit.pooled.coefficients);
  for (const OdeModel& model : fit.models) values.push_back(model.Derivative(fit.centre)[0]);
  return values;
}

// One entry per section of science.py; a section more is a function here and one there.
const std::map<std::string, std::function<Result<Numbers>(const JsonValue&)>> kSections = {
    {"stlsq", Stlsq},           {"york", York},         {"fieller", Fieller},
    {"quantiles", Quantiles},   {"critical", Critical}, {"polynomial", Polynomials},
    {"pearson", Pearson},       {"pca", Principal},     {"integrate", Integrated},
    {"pooling", PartialPooling}};

Result<std::string> Run(const std::string& path) {
  const JsonDocument document = TRY(ParseJsonFile(path));
  JsonWriter json;
  json.BeginArray();
  for (const JsonValue& section : document.GetArray()) {
    const std::string name = TRY(GetString(section, "name", path));
    const auto found = kSections.find(name);
    if (found == kSections.end()) {
      return Fail(ErrorKind::kInvalidData, fmt::format("{}: no section \"{}\"", path, name));
    }
    json.BeginArray();
    for (const JsonValue& in : section["cases"].GetArray()) {
      json.BeginArray();
      for (const double value : TRY(found->second(in))) json.Value(value);
      json.EndArray();
    }
    json.EndArray();
  }
  return json.EndArray().Text();
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) {
  CLI::App app("Computes the cases of bench/oracle/science.py");
  std::string cases;
  app.add_option("cases", cases)->required();
  CLI11_PARSE(app, argc, argv);
  const auto answer = couplingd::Run(cases);
  if (!answer) {
    fmt::print(stderr, "bench science: {}\n", answer.error().Text());
    return 65;
  }
  std::cout << *answer << '\n';
  return 0;
}
