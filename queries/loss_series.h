// What the readers of loss logs collect: candidates by name, of which one is the training loss.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "records/loss.h"

namespace couplingd {

class LossCollector {
 public:
  // `wanted`: the name that the user gives; empty: names that look like a loss are kept.
  explicit LossCollector(std::string wanted) : wanted_(std::move(wanted)) {}

  // A value that is not finite is left out and counted.
  void Add(std::string_view name, std::int64_t step, double value,
           std::optional<double> tokens = std::nullopt);
  // kNotFound, with the names that were seen, where none is the training loss or several may be.
  // Points come in order of step; of a step that was logged again the last counts.
  struct Chosen {
    std::string name;
    std::vector<LossPoint> points;
    std::vector<std::string> notes;
  };
  Result<Chosen> Choose(std::string_view source) const;

 private:
  const std::string wanted_;
  std::map<std::string, std::vector<LossPoint>, std::less<>> series_;
  std::set<std::string, std::less<>> others_;  // names that were seen and not kept; the first 20
  std::int64_t not_finite_ = 0;
};

}  // namespace couplingd
