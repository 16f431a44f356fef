#include "alerts/wire_labels.h"

#include <cctype>

namespace couplingd {
namespace {

constexpr char kRunbook[] = "runbook_url";

// [a-zA-Z_][a-zA-Z0-9_]*
std::string LabelName(const std::string& name) {
  std::string mended;
  for (const unsigned char c : name)
    mended += c < 0x80 && std::isalnum(c) ? static_cast<char>(c) : '_';
  if (mended.empty() || std::isdigit(static_cast<unsigned char>(mended[0]))) mended = "_" + mended;
  return mended;
}

}  // namespace

Texts WireLabels(const Finding& finding) {
  Texts labels;
  for (const auto& [name, value] : finding.labels) {
    if (name != kRunbook && !value.empty()) labels[LabelName(name)] = value;
  }
  labels["alertname"] = finding.rule;
  labels["severity"] = ToString(finding.severity);
  return labels;
}

Texts WireAnnotations(const Alert& alert) {
  Texts annotations = {{"summary", alert.finding.summary},
                       {"description", alert.finding.description}};
  const auto runbook = alert.finding.labels.find(kRunbook);
  if (runbook != alert.finding.labels.end()) annotations[kRunbook] = runbook->second;
  if (alert.state == AlertState::kResolved) annotations["resolution"] = alert.resolution;
  std::erase_if(annotations, [](const auto& each) { return each.second.empty(); });
  return annotations;
}

}  // namespace couplingd
