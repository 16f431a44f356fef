#include "records/annotation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/units.h"
#include "records/finding_fields.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

// How a field is written.
enum class Kind { kText, kLabel, kNumber, kCount, kScore, kSeconds };

struct Field {
  std::string_view name;
  Kind kind;
};

constexpr Field kFields[] = {
    {"rule", Kind::kText},        {"run", Kind::kText},       {"subject", Kind::kText},
    {"severity", Kind::kText},    {"family", Kind::kLabel},   {"axes", Kind::kLabel},
    {"metric", Kind::kLabel},     {"phase", Kind::kLabel},    {"quantity", Kind::kLabel},
    {"checkpoint", Kind::kLabel}, {"cause", Kind::kLabel},    {"sink", Kind::kLabel},
    {"gamma", Kind::kNumber},     {"value", Kind::kScore},    {"drop", Kind::kScore},
    {"low", Kind::kScore},        {"high", Kind::kScore},     {"probability", Kind::kNumber},
    {"n", Kind::kCount},          {"step", Kind::kCount},     {"tokens", Kind::kCount},
    {"parameters", Kind::kCount}, {"failures", Kind::kCount}, {"waiting", Kind::kCount},
    {"waited", Kind::kSeconds},
};

const Field* FindField(std::string_view name) {
  const auto found = std::ranges::find(kFields, name, &Field::name);
  return found == std::end(kFields) ? nullptr : &*found;
}

std::string TextOf(const Finding& finding, std::string_view name) {
  if (name == "rule") return finding.rule;
  if (name == "run") return finding.run;
  if (name == "subject") return finding.subject;
  return std::string(ToString(finding.severity));
}

// Percent where the finding is about a score that is a fraction; counts where it is about N or D.
std::string ScoreText(double value, const Finding& finding) {
  const std::string metric = LabelOf(finding, "metric");
  if (!metric.empty() && IsFractionMetric(metric.substr(metric.rfind('.') + 1))) {
    return fmt::format("{:.1f} %", 100 * value);
  }
  return std::abs(value) >= 1000 ? FormatCount(value) : fmt::format("{:.3g}", value);
}

std::string ValueText(const Field& field, double value, const Finding& finding) {
  switch (field.kind) {
    case Kind::kScore:
      return ScoreText(value, finding);
    case Kind::kCount:
      return value < 1e6 ? fmt::format("{:.0f}", value) : FormatCount(value);
    case Kind::kSeconds:
      return FormatDuration(std::chrono::seconds(std::llround(value)));
    default:
      return fmt::format("{:.2f}", value);
  }
}

std::string FieldText(const Field& field, const Finding& finding) {
  if (field.kind == Kind::kText) return TextOf(finding, field.name);
  if (field.kind == Kind::kLabel) {
    const std::string label = LabelOf(finding, std::string(field.name));
    return label.empty() ? "unknown" : label;
  }
  const std::string_view key = field.kind == Kind::kSeconds ? "waited_seconds" : field.name;
  const std::optional<double> value = ValueOf(finding, std::string(key));
  return value ? ValueText(field, *value, finding) : "unknown";
}

// Calls `plain` and `field` in turn on the parts of the text; an opening brace without its closing
// one is plain.
void Walk(std::string_view text, const std::function<void(std::string_view)>& plain,
          const std::function<void(std::string_view)>& field) {
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    const std::size_t close = open == text.npos ? text.npos : text.find('}', open);
    if (close == text.npos) return plain(text);
    plain(text.substr(0, open));
    field(text.substr(open + 1, close - open - 1));
    text.remove_prefix(close + 1);
  }
}

}  // namespace

std::vector<std::string_view> AnnotationFields() {
  std::vector<std::string_view> names;
  for (const Field& field : kFields) names.push_back(field.name);
  return names;
}

std::optional<std::string> UnknownField(std::string_view text) {
  std::optional<std::string> unknown;
  Walk(
      text, [](std::string_view) {},
      [&](std::string_view name) {
        if (!unknown && !FindField(name)) unknown = std::string(name);
      });
  return unknown;
}

std::string FillFields(std::string_view text, const Finding& finding) {
  std::string filled;
  Walk(
      text, [&](std::string_view part) { filled += part; },
      [&](std::string_view name) {
        const Field* field = FindField(name);
        filled += field ? FieldText(*field, finding) : fmt::format("{{{}}}", name);
      });
  return filled;
}

}  // namespace couplingd
