#include "probes/tokenizer/newer_code_points.h"

#include <algorithm>
#include <bitset>

#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

struct Run {
  char32_t first, last, stand_in;
};

// Made by bench/oracle/newer_code_points.py.
constexpr Run kRuns[] = {
#include "probes/tokenizer/newer_code_points.inc"
};

constexpr int kBlockBits = 7;
using Blocks = std::bitset<(0x110000 >> kBlockBits)>;

// The blocks of 128 code points that hold any of them: few, so that most texts are passed quickly.
const Blocks& NewerBlocks() {
  static const Blocks blocks = [] {
    Blocks made;
    for (const Run& run : kRuns) {
      for (char32_t block = run.first >> kBlockBits; block <= run.last >> kBlockBits; ++block) {
        made.set(block);
      }
    }
    return made;
  }();
  return blocks;
}

}  // namespace

char32_t StandInOf(char32_t c) {
  if (c < kRuns[0].first || !NewerBlocks().test(c >> kBlockBits)) return c;
  const auto run = std::ranges::lower_bound(kRuns, c, {}, &Run::last);
  return run != std::end(kRuns) && c >= run->first ? run->stand_in : c;
}

std::optional<std::string> WithStandIns(std::string_view text) {
  constexpr unsigned char kFirstOfThreeBytes = 0xE0;
  std::optional<std::string> replaced;
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < kFirstOfThreeBytes) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    const char32_t c = NextCodePoint(text, at);
    const char32_t stand_in = StandInOf(c);
    if (stand_in == c) continue;
    if (!replaced) replaced = std::string(text);
    std::string spelled;
    AppendUtf8(spelled, stand_in);
    replaced->replace(begin, at - begin, spelled);
  }
  return replaced;
}

}  // namespace couplingd
