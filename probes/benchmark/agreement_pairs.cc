#include "probes/benchmark/agreement_pairs.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/hash.h"
#include "probes/benchmark/text.h"
#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

using Key = std::function<std::string(const Pack& pack, const PackItem& item)>;

constexpr char kEnd = '\x01';  // no white space

std::string Continuations(const Pack& pack, const PackItem& item) {
  std::string key;
  for (std::size_t i = 0; i < item.choices.size(); ++i) key += pack.Continuation(item, i) + kEnd;
  return key;
}

std::string WholeText(const Pack& pack, const PackItem& item) {
  std::string key;
  for (const std::string& context : item.contexts) key += context + kEnd;
  return HashHex(key + Continuations(pack, item));
}

std::string BareText(const Pack& pack, const PackItem& item) {
  std::string key;
  for (const std::string& context : item.contexts) key += context + kEnd;
  return HashHex(WithoutSpace(key + Continuations(pack, item)));
}

// Choices, and what stands after the last empty line of the context: without worked examples.
std::string QuestionText(const Pack& pack, const PackItem& item) {
  std::string key;
  for (const std::string& context : item.contexts) {
    const std::size_t gap = context.rfind("\n\n");
    key += context.substr(gap == std::string::npos ? 0 : gap) + kEnd;
  }
  return HashHex(WithoutSpace(key + Continuations(pack, item)));
}

class Pairing {
 public:
  Pairing(const Pack& ours, const Pack& theirs)
      : ours_(ours), theirs_(theirs), partner_(ours.items.size(), kNone) {
    for (std::size_t i = 0; i < theirs.items.size(); ++i) free_.push_back(i);
  }

  // Items of one key are paired in their order.
  void By(const Key& key) {
    std::map<std::string, std::vector<std::size_t>> places;
    for (const std::size_t i : free_) places[key(theirs_, theirs_.items[i])].push_back(i);
    for (auto& [text, list] : places) std::ranges::reverse(list);
    for (std::size_t i = 0; i < partner_.size(); ++i) {
      if (partner_[i] != kNone) continue;
      const auto found = places.find(key(ours_, ours_.items[i]));
      if (found == places.end() || found->second.empty()) continue;
      Take(i, found->second.back());
      found->second.pop_back();
    }
  }

  void ByPlace() {
    if (ours_.items.size() != theirs_.items.size()) return;
    for (const std::size_t i : std::vector(free_)) {
      const bool alike = ours_.items[i].choices.size() == theirs_.items[i].choices.size();
      if (partner_[i] == kNone && alike) Take(i, i);
    }
  }

  std::vector<std::pair<std::size_t, std::size_t>> Pairs() const {
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    for (std::size_t i = 0; i < partner_.size(); ++i) {
      if (partner_[i] != kNone) pairs.emplace_back(i, partner_[i]);
    }
    return pairs;
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  void Take(std::size_t ours, std::size_t theirs) {
    partner_[ours] = theirs;
    free_.erase(std::ranges::lower_bound(free_, theirs));
  }

  const Pack& ours_;
  const Pack& theirs_;
  std::vector<std::size_t> partner_;
  std::vector<std::size_t> free_;  // of theirs, rising
};

}  // namespace

RequestText RequestTextOf(const Pack& pack, const PackItem& item, std::size_t choice) {
  const std::string& context = item.ContextOf(choice);
  const std::string_view kept = StripRight(context);
  return {std::string(kept), context.substr(kept.size()) + pack.Continuation(item, choice)};
}

std::string WithoutSpace(std::string_view text) {
  std::string kept;
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t begin = position;
    if (!IsPythonSpace(NextCodePoint(text, position))) {
      kept += text.substr(begin, position - begin);
    }
  }
  return kept;
}

std::vector<std::pair<std::size_t, std::size_t>> PairItems(const Pack& ours, const Pack& theirs) {
  Pairing pairing(ours, theirs);
  pairing.By(WholeText);
  pairing.By(BareText);
  pairing.By(QuestionText);
  pairing.ByPlace();
  return pairing.Pairs();
}

}  // namespace couplingd
