// Reading the expected numbers under data/.
#pragma once

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <string>
#include <vector>

#include "base/json.h"

namespace couplingd::fixtures {

inline JsonDocument Read(const std::string& name) {
  auto document = ParseJsonFile(std::string(COUPLINGD_SOURCE_DIR) + "/tests/coupling/data/" + name);
  EXPECT_TRUE(document) << document.error().Text();
  return std::move(*document);
}

inline Eigen::VectorXd Vector(const JsonValue& array) {
  Eigen::VectorXd vector(static_cast<Eigen::Index>(array.Size()));
  for (rapidjson::SizeType i = 0; i < array.Size(); ++i) vector[i] = array[i].GetDouble();
  return vector;
}

inline Eigen::MatrixXd Matrix(const JsonValue& rows) {
  Eigen::MatrixXd matrix(static_cast<Eigen::Index>(rows.Size()),
                         static_cast<Eigen::Index>(rows[0].Size()));
  for (rapidjson::SizeType i = 0; i < rows.Size(); ++i) matrix.row(i) = Vector(rows[i]).transpose();
  return matrix;
}

}  // namespace couplingd::fixtures
