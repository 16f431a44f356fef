// Columns of the shipped panel, for tests.
#pragma once

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <string>
#include <vector>

#include "coupling/panel/base_panel.h"

namespace couplingd::panel {

inline const BasePanel& Shipped() {
  static const BasePanel panel = [] {
    auto read = ShippedBasePanel();
    EXPECT_TRUE(read) << read.error().Text();
    return read ? *read : BasePanel{};
  }();
  return panel;
}

struct Columns {
  Eigen::VectorXd x, reasoning, truthfulness;  // log10 N, percent, percent
};

// Families of the set behind the published bootstrap of N_c; all 14 models where none is
// named. Smallest first.
inline Columns BootstrapSet(const std::vector<std::string>& families = {}) {
  std::vector<PanelModel> models = PublishedPanel(Shipped(), "bootstrap");
  std::erase_if(models, [&](const PanelModel& model) {
    return !families.empty() && std::ranges::find(families, model.family) == families.end();
  });
  std::ranges::stable_sort(models, {}, &PanelModel::parameters);
  return {LogSizesOf(models), 100 * ScoresOf(models, &PanelModel::hellaswag),
          100 * ScoresOf(models, &PanelModel::truthfulqa)};
}

}  // namespace couplingd::panel
