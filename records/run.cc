#include "records/run.h"

#include <array>
#include <utility>

namespace couplingd {
namespace {

constexpr std::array<std::pair<CheckpointState, std::string_view>, 8> kStates = {{
    {CheckpointState::kWaiting, "waiting"},
    {CheckpointState::kQueued, "queued"},
    {CheckpointState::kEvaluating, "evaluating"},
    {CheckpointState::kEvaluated, "evaluated"},
    {CheckpointState::kFailed, "failed"},
    {CheckpointState::kVanished, "vanished"},
    {CheckpointState::kRefused, "refused"},
    {CheckpointState::kSkipped, "skipped"},
}};

}  // namespace

std::string_view ToString(CheckpointState state) {
  return kStates[static_cast<std::size_t>(state)].second;
}

std::optional<CheckpointState> ParseCheckpointState(std::string_view text) {
  for (const auto& [state, name] : kStates) {
    if (name == text) return state;
  }
  return std::nullopt;
}

}  // namespace couplingd
