// Scores of three families as printed in the supplement of arXiv:2605.18838 (CAPE, facts from its
// public repository, MIT): parameters, HellaSwag and TruthfulQA in percent.
#pragma once

#include <Eigen/Dense>
#include <array>
#include <cmath>
#include <vector>

namespace couplingd::panel {

using Row = std::array<double, 3>;

// The set behind the published bootstrap of N_c.
inline const std::vector<Row> kPythia{
    {70e6, 27.29, 47.64},  {160e6, 29.59, 43.52}, {410e6, 40.56, 40.34}, {1e9, 47.16, 38.67},
    {1.4e9, 52.01, 38.66}, {2.8e9, 59.37, 35.56}, {6.9e9, 64.02, 32.76}, {12e9, 67.30, 32.47}};
inline const std::vector<Row> kLlama1{
    {7e9, 77.81, 34.33}, {13e9, 80.92, 39.48}, {65e9, 86.09, 43.43}};
inline const std::vector<Row> kLlama2{
    {7e9, 77.74, 38.98}, {13e9, 82.10, 37.40}, {70e9, 87.30, 44.90}};

// The set behind the published ODE: HellaSwag, TruthfulQA, ARC, WinoGrande, MMLU of the eight
// Pythias.
inline const std::vector<std::array<double, 6>> kPythiaFive{
    {70e6, 27.3, 47.1, 21.6, 51.5, 25.9},  {160e6, 31.4, 44.3, 24.1, 51.4, 24.9},
    {410e6, 40.9, 41.2, 26.2, 53.1, 27.3}, {1e9, 49.7, 38.9, 29.1, 53.6, 24.3},
    {1.4e9, 52.9, 38.9, 31.5, 58.0, 25.8}, {2.8e9, 60.7, 35.6, 36.3, 60.2, 26.8},
    {6.9e9, 64.0, 33.0, 37.0, 62.0, 26.0}, {12e9, 67.3, 32.0, 38.0, 64.0, 27.0}};

struct Columns {
  Eigen::VectorXd x, reasoning, truthfulness;  // log10 N, percent, percent
};
inline Columns ColumnsOf(std::initializer_list<std::vector<Row>> families) {
  std::vector<Row> rows;
  for (const auto& family : families) rows.insert(rows.end(), family.begin(), family.end());
  const auto n = static_cast<Eigen::Index>(rows.size());
  Columns columns{Eigen::VectorXd(n), Eigen::VectorXd(n), Eigen::VectorXd(n)};
  for (Eigen::Index k = 0; k < n; ++k) {
    columns.x[k] = std::log10(rows[k][0]);
    columns.reasoning[k] = rows[k][1];
    columns.truthfulness[k] = rows[k][2];
  }
  return columns;
}

}  // namespace couplingd::panel
