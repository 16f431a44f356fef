#include "alerts/key_numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "base/units.h"

namespace couplingd {
namespace {

using Values = std::map<std::string, double>;

std::optional<double> Take(Values& values, const std::string& name) {
  const auto found = values.find(name);
  if (found == values.end()) return std::nullopt;
  const double value = found->second;
  values.erase(found);
  return value;
}

std::string LabelOr(const Finding& finding, const std::string& name, std::string_view otherwise) {
  const auto found = finding.labels.find(name);
  return found == finding.labels.end() ? std::string(otherwise) : found->second;
}

std::string NumberText(double value) {
  const double size = std::abs(value);
  const bool whole = value == std::floor(value);
  if (whole && size < 1e6) return fmt::format("{:.0f}", value);
  if (size >= 1e4 && size < 1e18) return value < 0 ? "-" + FormatCount(size) : FormatCount(size);
  return fmt::format("{:.4g}", value);
}

// What an interval may lie around, in the order in which it is looked for.
struct Estimate {
  std::string_view value, name;
};
constexpr Estimate kEstimates[] = {{"gamma", "γ"},       {"value", ""},
                                   {"change", "change"}, {"difference", "difference"},
                                   {"score", "score"},   {"dimension", "dimension"}};

std::string EstimateText(double value, bool is_ratio) {
  return is_ratio ? fmt::format("{:.2f}", value) : NumberText(value);
}

void AddEstimate(const Finding& finding, Values& values, std::vector<KeyNumber>& numbers) {
  std::optional<double> estimate;
  std::string name;
  for (const Estimate& candidate : kEstimates) {
    estimate = Take(values, std::string(candidate.value));
    if (!estimate) continue;
    name = candidate.value == "value" ? LabelOr(finding, "quantity", "value")
                                      : std::string(candidate.name);
    break;
  }
  const bool has_interval = HasInterval(finding);
  if (!estimate && !has_interval) return;
  const bool is_ratio = name == "γ";
  const std::optional<double> low = Take(values, "low"), high = Take(values, "high");
  const std::optional<double> level = Take(values, "level");
  std::string text = estimate ? EstimateText(*estimate, is_ratio) : "";
  if (has_interval) {
    const auto bound = [&](const std::optional<double>& value) {
      return value ? EstimateText(*value, is_ratio) : std::string("?");
    };
    text += fmt::format("{}[{}, {}]", text.empty() ? "" : " ", bound(low), bound(high));
    if (level) text += fmt::format(", {:g} %", *level * 100);
  }
  numbers.push_back({name.empty() ? "interval" : name, text});
}

void AddPlace(Values& values, std::vector<KeyNumber>& numbers) {
  std::string text;
  const auto add = [&](std::string part) { text += (text.empty() ? "" : ", ") + std::move(part); };
  if (const auto step = Take(values, "step")) add(fmt::format("step {:.0f}", *step));
  if (const auto tokens = Take(values, "tokens")) add(FormatCount(*tokens) + " tokens");
  if (const auto size = Take(values, "parameters")) add(FormatCount(*size) + " parameters");
  if (!text.empty()) numbers.push_back({"at", text});
}

void AddSample(const Finding& finding, Values& values, std::vector<KeyNumber>& numbers) {
  const auto n = Take(values, "n");
  if (!n) return;
  const bool is_coupling = finding.kind == "phase" || finding.kind == "sign_change";
  if (!is_coupling) return numbers.push_back({"n", NumberText(*n)});
  const bool over_steps =
      LabelOr(finding, "over", finding.labels.contains("run") ? "steps" : "") == "steps";
  numbers.push_back(
      {"from", fmt::format("{} {}", NumberText(*n), over_steps ? "checkpoints" : "sizes")});
}

void AddCertainty(Values& values, std::vector<KeyNumber>& numbers) {
  if (const auto probability = Take(values, "probability")) {
    numbers.push_back({"probability", fmt::format("{:.4g} %", *probability * 100)});
  }
  const auto p_value = Take(values, "p_value");
  Take(values, "p_value_needed");  // the rule's, not the alert's
  if (p_value && *p_value > 0 && *p_value <= 1) {
    const double unit = std::pow(10, std::floor(std::log10(1 / *p_value)) - 1);  // two digits
    const std::string odds =
        *p_value < 1e-12
            ? "less than 1 in 1T"
            : fmt::format("1 in {}", FormatCount(std::round(1 / *p_value / unit) * unit));
    numbers.push_back({"noise alone", odds});
  }
}

KeyNumber Other(const std::string& name, double value) {
  std::string words = name;
  std::ranges::replace(words, '_', ' ');
  constexpr std::string_view kSeconds = " seconds";
  if (words.ends_with(kSeconds) && std::abs(value) < 1e12) {
    words.resize(words.size() - kSeconds.size());
    return {words, FormatDuration(std::chrono::seconds(std::llround(value)))};
  }
  return {words, NumberText(value)};
}

}  // namespace

bool HasInterval(const Finding& finding) {
  return finding.values.contains("low") || finding.values.contains("high");
}

std::vector<KeyNumber> KeyNumbers(const Finding& finding) {
  Values values = finding.values;
  std::erase_if(values, [](const auto& each) { return !std::isfinite(each.second); });
  std::vector<KeyNumber> numbers;
  AddEstimate(finding, values, numbers);
  AddPlace(values, numbers);
  AddSample(finding, values, numbers);
  AddCertainty(values, numbers);
  for (const auto& [name, value] : values) numbers.push_back(Other(name, value));
  return numbers;
}

std::string KeyNumbersLine(const Finding& finding) {
  std::string line;
  for (const KeyNumber& number : KeyNumbers(finding)) {
    line += fmt::format("{}{} {}", line.empty() ? "" : " · ", number.name, number.text);
  }
  return line;
}

}  // namespace couplingd
