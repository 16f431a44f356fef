#include "records/checkpoint_names.h"

#include <algorithm>

#include "base/numbers.h"

namespace couplingd {
namespace {

constexpr std::string_view kStepPrefixes[] = {"checkpoint-", "step-", "step_",
                                              "step",        "iter_", "global_step"};
constexpr std::string_view kUnsharded = "-unsharded";  // OLMo's consolidated twin of a step
constexpr std::string_view kComposerFile = "-rank0.pt";
constexpr std::int64_t kLargestStep = std::int64_t{1} << 53;

std::optional<std::int64_t> AllDigits(std::string_view text) {
  const auto number = TakeDigits(text);
  return text.empty() && number && *number <= kLargestStep ? number : std::nullopt;
}

// "ep12-ba3400": the batch counts the steps.
std::optional<std::int64_t> ComposerStep(std::string_view name) {
  const std::size_t separator = name.find("-ba");
  if (!name.starts_with("ep") || separator == std::string_view::npos) return std::nullopt;
  if (!AllDigits(name.substr(2, separator - 2))) return std::nullopt;
  if (name.ends_with(kComposerFile)) name.remove_suffix(kComposerFile.size());
  return AllDigits(name.substr(separator + 3));
}

}  // namespace

std::optional<std::int64_t> StepOfName(std::string_view name) {
  if (IsIgnoredName(name)) return std::nullopt;
  if (const auto step = ComposerStep(name)) return step;
  if (name.starts_with("step") && name.ends_with(kUnsharded)) name.remove_suffix(kUnsharded.size());
  for (std::string_view prefix : kStepPrefixes) {
    if (!name.starts_with(prefix)) continue;
    if (const auto step = AllDigits(name.substr(prefix.size()))) return step;
  }
  return std::nullopt;
}

std::optional<std::int64_t> StepOfFolder(std::string_view name) {
  if (const auto step = StepOfName(name)) return step;
  return AllDigits(name);
}

bool IsFileCheckpointName(std::string_view name) {
  return name.ends_with(kComposerFile) && ComposerStep(name).has_value();
}

bool IsIgnoredName(std::string_view name) {
  if (name.empty()) return true;
  if (name[0] == '.') return name != ".metadata" && name != ".metadata.json";
  if (name.starts_with("tmp-")) return true;
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"-tmp", ".tmp", ".incomplete", ".partial"},
      [&](std::string_view end) { return name.ends_with(end); });
}

}  // namespace couplingd
