#include "probes/checkpoint/layout.h"

#include <algorithm>
#include <array>

namespace couplingd {
namespace {

// A file or directory name that only one format uses. `ending` empty: the name equals `beginning`,
// or starts with it where `beginning` ends in '*'.
struct ForeignName {
  std::string_view beginning;
  std::string_view ending;
  std::string_view format;
};

constexpr std::string_view kAdapter = "a PEFT adapter without its base weights (adapter-only)";
constexpr std::string_view kOrbax = "JAX (Orbax, tensorstore)";
constexpr std::string_view kFlax = "JAX (Flax msgpack)";

constexpr std::array<ForeignName, 11> kForeignNames = {{
    {"adapter_model*", "", kAdapter},
    {"adapter_config.json", "", kAdapter},
    {"_CHECKPOINT_METADATA", "", kOrbax},
    {"manifest.ocdbt", "", kOrbax},
    {".zarray", "", kOrbax},
    {"zarr.json", "", kOrbax},
    {"flax_model*", ".msgpack", kFlax},
    {"tf_model.h5", "", "TensorFlow weights (tf_model.h5)"},
    {"metadata.json", "", "JAX (levanter, tensorstore), or Megatron's zarr"},
    {"*", ".gguf", "GGUF"},
    {"consolidated*", ".pth", "original Llama weights (consolidated.pth)"},
}};

bool Matches(const ForeignName& foreign, std::string_view name) {
  std::string_view beginning = foreign.beginning;
  if (!beginning.ends_with('*')) return name == beginning;
  beginning.remove_suffix(1);
  return name.size() >= beginning.size() + foreign.ending.size() && name.starts_with(beginning) &&
         name.ends_with(foreign.ending);
}

}  // namespace

std::string_view ToString(Layout layout) {
  switch (layout) {
    case Layout::kTrainer:
      return "trainer";
    case Layout::kStep:
      return "step";
    case Layout::kModel:
      return "model";
  }
  return "model";
}

std::optional<Layout> ParseLayout(std::string_view text) {
  for (const Layout layout : {Layout::kTrainer, Layout::kStep, Layout::kModel}) {
    if (text == ToString(layout)) return layout;
  }
  return std::nullopt;
}

Layout LayoutOfName(std::string_view name) {
  if (!StepOfFolder(name)) return Layout::kModel;
  return name.starts_with("checkpoint-") ? Layout::kTrainer : Layout::kStep;
}

bool IsModelMarkerName(std::string_view name) {
  return name == "model.safetensors" || name == "model.safetensors.index.json" ||
         name == "pytorch_model.bin" || name == "pytorch_model.bin.index.json";
}

std::optional<std::string_view> ForeignFormatOfName(std::string_view name) {
  const auto found =
      std::ranges::find_if(kForeignNames, [&](const ForeignName& f) { return Matches(f, name); });
  if (found == kForeignNames.end()) return std::nullopt;
  return found->format;
}

}  // namespace couplingd
