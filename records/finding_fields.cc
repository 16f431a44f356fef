#include "records/finding_fields.h"

namespace couplingd {

std::string LabelOf(const Finding& finding, const std::string& name) {
  const auto found = finding.labels.find(name);
  return found == finding.labels.end() ? "" : found->second;
}

std::optional<double> ValueOf(const Finding& finding, const std::string& name) {
  const auto found = finding.values.find(name);
  return found == finding.values.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace couplingd
