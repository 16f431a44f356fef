// The demo's tokenizer: byte-level BPE with one entry per word and no merges, as a tokenizer.json
// that any tool reads.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "demo/world.h"

namespace couplingd {

class Vocabulary {
 public:
  explicit Vocabulary(const World& world);

  int size() const { return size_; }
  std::int64_t begin_id() const { return 0; }
  std::int64_t end_id() const { return 1; }
  std::int64_t pad_id() const { return 2; }

  // <s>, the words, </s>. Every word of the world has an entry.
  std::vector<std::int64_t> Encode(const std::vector<std::string>& sentence) const;
  std::string TokenizerJson() const;

 private:
  std::map<std::string, int> bare_, following_;  // word → id
  std::map<std::string, int> entries_;           // vocabulary entry in the byte alphabet → id
  int size_ = 0;
};

}  // namespace couplingd
