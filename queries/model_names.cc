#include "queries/model_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "base/files.h"
#include "records/checkpoint_names.h"

namespace couplingd {
namespace {

struct PythiaSize {
  std::string_view name;
  double parameters;
  int d_model;
};

// Sizes, widths and batches as in the table of github.com/EleutherAI/pythia (README.md at v1:
// d_model, 2M tokens per step) and its models/*/*.yml (12B: 256 GPUs / 4-way model parallel x 8 x 2
// = 1,024 sequences of 2,048). Totals as in the model cards' table; they equal 2·V·d + L·(12d² +
// 13d) + 2d with the depths L of that table and the padded vocabulary V.
constexpr std::array<PythiaSize, 8> kPythiaSizes = {{
    {"70m", 70426624, 512},
    {"160m", 162322944, 768},
    {"410m", 405334016, 1024},
    {"1b", 1011781632, 2048},
    {"1.4b", 1414647808, 2048},
    {"2.8b", 2775208960, 2560},
    {"6.9b", 6857302016, 4096},
    {"12b", 11846072320, 5120},
}};
constexpr double kPythiaTokensPerStep = 1024.0 * 2048.0;

std::vector<std::string> SplitAtDashes(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t dash = text.find('-');
    parts.emplace_back(text.substr(0, dash));
    if (dash == std::string_view::npos) return parts;
    text.remove_prefix(dash + 1);
  }
}

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// "pythia", a size, and nothing else but the words that leave size and data order alone.
std::optional<NamedModel> RecognisePythia(const std::string& model) {
  const std::vector<std::string> parts = SplitAtDashes(Lower(model));
  if (parts[0] != "pythia") return std::nullopt;
  const PythiaSize* size = nullptr;
  bool deduped = false;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto found = std::ranges::find(kPythiaSizes, parts[i], &PythiaSize::name);
    if (found != kPythiaSizes.end() && !size) {
      size = &*found;
    } else if (parts[i] == "deduped") {
      deduped = true;
    } else if (parts[i] != "v1.1" && parts[i] != "bf16") {
      return std::nullopt;
    }
  }
  if (!size) return std::nullopt;
  return NamedModel{.run = fmt::format("pythia-{}{}", size->name, deduped ? "-deduped" : ""),
                    .family = deduped ? "pythia-deduped" : "pythia",
                    .parameters = size->parameters,
                    .d_model = size->d_model,
                    .tokens_per_step = kPythiaTokensPerStep};
}

// "1B", "1.4b", "70m": digits, perhaps a dot, and a letter for the magnitude.
bool IsSize(std::string_view part) {
  if (part.size() < 2 || std::string_view("mMbBtTkK").find(part.back()) == std::string_view::npos) {
    return false;
  }
  part.remove_suffix(1);
  return std::isdigit(static_cast<unsigned char>(part.front())) &&
         part.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string WithoutSize(const std::string& model) {
  std::vector<std::string> parts = SplitAtDashes(model);
  const auto size = std::ranges::find_if(parts, IsSize);
  if (size != parts.end()) parts.erase(size);
  const std::string family = fmt::format("{}", fmt::join(parts, "-"));
  return family.empty() ? model : family;
}

}  // namespace

NamedModel RecogniseModel(std::string_view name) {
  std::string path(name);
  while (StepOfName(BaseName(path)) && BaseName(path) != path) path = DirectoryName(path);
  const std::string model = BaseName(path);
  if (auto pythia = RecognisePythia(model)) return *pythia;
  return {.run = model, .family = WithoutSize(model)};
}

}  // namespace couplingd
