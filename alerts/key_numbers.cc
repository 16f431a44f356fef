#include "alerts/key_numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "base/units.h"
#include "records/metric_names.h"

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

using NumberFormat = std::string (*)(double);

std::string RatioText(double value) { return fmt::format("{:.2f}", value); }
std::string PercentText(double value) { return fmt::format("{:.1f} %", value * 100); }

// What an interval may lie around, in the order in which it is looked for.
struct Estimate {
  std::string_view value, name;
  NumberFormat format;
};
constexpr Estimate kEstimates[] = {{"gamma", "γ", RatioText},
                                   {"value", "", NumberText},
                                   {"change", "change", NumberText},
                                   {"difference", "difference", NumberText}};

std::string NameOfValue(const Finding& finding) {
  return finding.kind == "dimension_collapse" ? "d_eff" : LabelOr(finding, "quantity", "value");
}

void AddEstimate(const Finding& finding, Values& values, std::vector<KeyNumber>& numbers) {
  Estimate estimate{"", "interval", NumberText};
  std::optional<double> value;
  for (const Estimate& candidate : kEstimates) {
    value = Take(values, std::string(candidate.value));
    if (!value) continue;
    estimate = candidate;
    break;
  }
  const bool has_bounds = values.contains("low") || values.contains("high");
  if (!value && !has_bounds) return;
  const std::optional<double> low = Take(values, "low"), high = Take(values, "high");
  const std::optional<double> level = Take(values, "level");
  std::string text = value ? estimate.format(*value) : "";
  if (has_bounds) {
    const auto bound = [&](const std::optional<double>& end) {
      return end ? estimate.format(*end) : std::string("?");
    };
    text += fmt::format("{}[{}, {}]", text.empty() ? "" : " ", bound(low), bound(high));
    if (level) text += fmt::format(", {:g} %", *level * 100);
  }
  numbers.push_back(
      {estimate.name.empty() ? NameOfValue(finding) : std::string(estimate.name), text});
}

// A score with 1.96 standard errors on either side, and what it is held against.
void AddScore(const Finding& finding, Values& values, std::vector<KeyNumber>& numbers) {
  const std::string metric = LabelOr(finding, "metric", "");
  const bool is_share = IsFractionMetric(metric.substr(metric.rfind('.') + 1));
  const NumberFormat format = is_share ? PercentText : NumberText;
  const auto value = Take(values, "value"), error = Take(values, "standard_error");
  if (value) {
    std::string text = format(*value);
    if (error) text += fmt::format(" ± {:.2g}", 1.96 * *error * (is_share ? 100 : 1));
    numbers.push_back({metric, text});
  }
  if (const auto best = Take(values, "best")) {
    const auto step = Take(values, "best_step");
    numbers.push_back(
        {"best", format(*best) + (step ? fmt::format(" at step {:.0f}", *step) : "")});
  }
  if (const auto drop = Take(values, "drop")) {
    numbers.push_back(
        {"drop", is_share ? fmt::format("{:.1f} points", *drop * 100) : NumberText(*drop)});
  }
  for (const char* name : {"chance", "ceiling"}) {
    if (const auto amount = Take(values, name)) numbers.push_back({name, format(*amount)});
  }
}

void AddPlace(Values& values, std::vector<KeyNumber>& numbers) {
  std::string text;
  const auto add = [&](std::string part) { text += (text.empty() ? "" : ", ") + std::move(part); };
  if (const auto step = Take(values, "step")) add(fmt::format("step {:.0f}", *step));
  if (const auto tokens = Take(values, "tokens")) add(FormatCount(*tokens) + " tokens");
  if (const auto size = Take(values, "parameters")) add(FormatCount(*size) + " parameters");
  if (!text.empty()) numbers.push_back({"at", text});
}

std::string_view SampleOf(const Finding& finding) {
  if (finding.kind == "score_regression") return "items";
  if (finding.kind == "axis_spent" || finding.kind == "dimension_collapse") return "checkpoints";
  if (finding.kind != "phase" && finding.kind != "sign_change") return "";
  const std::string over =
      LabelOr(finding, "over", finding.labels.contains("run") ? "steps" : "scale");
  return over == "steps" ? "checkpoints" : "sizes";
}

void AddSample(const Finding& finding, Values& values, std::vector<KeyNumber>& numbers) {
  const auto n = Take(values, "n");
  if (!n) return;
  const std::string_view noun = SampleOf(finding);
  if (noun.empty()) return numbers.push_back({"n", NumberText(*n)});
  numbers.push_back({"from", fmt::format("{} {}", NumberText(*n), noun)});
}

void AddCertainty(Values& values, std::vector<KeyNumber>& numbers) {
  if (const auto probability = Take(values, "probability")) {
    numbers.push_back({"probability", fmt::format("{:.4g} %", *probability * 100)});
  }
  const auto p_value = Take(values, "p_value");
  for (const char* of_the_rule : {"p_value_needed", "tax_bound", "bonus_bound"}) {
    Take(values, of_the_rule);
  }
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
  const auto has = [&](const char* name) { return finding.values.contains(name); };
  return has("low") || has("high") || (has("value") && has("standard_error"));
}

std::vector<KeyNumber> KeyNumbers(const Finding& finding) {
  Values values = finding.values;
  std::erase_if(values, [](const auto& each) { return !std::isfinite(each.second); });
  std::vector<KeyNumber> numbers;
  if (finding.labels.contains("metric")) AddScore(finding, values, numbers);
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
