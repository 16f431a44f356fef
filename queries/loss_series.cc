#include "queries/loss_series.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

namespace couplingd {
namespace {

constexpr std::size_t kOthersShown = 20;

// What trainers call it, in order of preference: Hugging Face, Lightning, PyTorch's tutorial,
// Megatron in text and in TensorBoard, Composer, torchtitan.
constexpr std::array<std::string_view, 12> kUsualNames = {"loss",
                                                          "train_loss",
                                                          "train/loss",
                                                          "Loss/train",
                                                          "lm loss",
                                                          "lm-loss-training/lm loss",
                                                          "lm-loss",
                                                          "train_loss_step",
                                                          "loss/train/total",
                                                          "train/lm_loss",
                                                          "loss_metrics/global_avg_loss",
                                                          "training_loss"};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

bool IsLossName(std::string_view name) { return Lower(name).find("loss") != std::string::npos; }

bool IsOfTraining(std::string_view name) {
  const std::string lower = Lower(name);
  return lower.find("eval") == std::string::npos && lower.find("val") == std::string::npos &&
         lower.find("test") == std::string::npos && lower.find("scale") == std::string::npos;
}

}  // namespace

void LossCollector::Add(std::string_view name, std::int64_t step, double value,
                        std::optional<double> tokens) {
  const bool is_kept = wanted_.empty() ? IsLossName(name) : name == wanted_;
  if (!is_kept || step < 0) {
    if (others_.size() < kOthersShown) others_.emplace(name);
    return;
  }
  auto series = series_.find(name);
  if (series == series_.end()) series = series_.emplace(name, std::vector<LossPoint>()).first;
  if (!std::isfinite(value)) {
    ++not_finite_;
    return;
  }
  series->second.push_back({step, tokens, value});
}

Result<LossCollector::Chosen> LossCollector::Choose(std::string_view source) const {
  std::vector<std::string> names;
  for (const auto& [name, points] : series_) {
    if (!points.empty() && (!wanted_.empty() || IsOfTraining(name))) names.push_back(name);
  }
  std::string chosen = names.size() == 1 ? names[0] : "";
  for (auto usual = kUsualNames.rbegin(); usual != kUsualNames.rend(); ++usual) {
    if (std::ranges::find(names, *usual) != names.end()) chosen = *usual;
  }
  if (chosen.empty()) {
    std::set<std::string> seen(others_.begin(), others_.end());
    for (const auto& [name, points] : series_) seen.insert(name);
    return Fail(ErrorKind::kNotFound,
                names.empty()
                    ? fmt::format("{}: no training loss in it", source)
                    : fmt::format("{}: several of its values may be the training loss", source),
                seen.empty() ? "it has no values by step"
                             : fmt::format("name one with --key: {}", fmt::join(seen, ", ")));
  }
  Chosen result{.name = chosen, .points = series_.find(chosen)->second};
  std::ranges::stable_sort(result.points, {}, &LossPoint::step);
  std::vector<LossPoint> last;
  for (const LossPoint& point : result.points) {
    if (!last.empty() && last.back().step == point.step) last.pop_back();
    last.push_back(point);
  }
  if (last.size() < result.points.size()) {
    result.notes.push_back(fmt::format("{}: {} steps were logged again: the last value counts",
                                       source, result.points.size() - last.size()));
  }
  if (not_finite_ > 0) {
    result.notes.push_back(
        fmt::format("{}: {} values are not finite: left out", source, not_finite_));
  }
  result.points = std::move(last);
  return result;
}

}  // namespace couplingd
