// An interpreter of Python pickles that only builds data (pickle/value.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/pickle/value.h"

namespace couplingd {

struct PickleLimits {
  std::size_t max_memory = 1u << 30;   // of everything built, in bytes
  std::size_t max_string = 64u << 20;  // of one string
  std::size_t max_marks = 1000;        // open at once: how deep containers are nested
};

class PickleDocument {
 public:
  PickleRef root() const { return root_; }
  std::size_t end() const { return end_; }  // of the pickle, in the text it was read from
  // Every reference to something outside, in the order of the pickle.
  const std::vector<PickleRef>& persistent() const { return persistent_; }

 private:
  friend class PickleInterpreter;
  std::shared_ptr<const std::string> text_;  // strings are views into it
  std::deque<PickleValue> values_;
  std::vector<PickleRef> persistent_;
  PickleRef root_ = nullptr;
  std::size_t end_ = 0;
};

// Reads one pickle that begins at `begin` of `text` and goes to its STOP. Understood are the
// opcodes of protocols 2 to 5 that torch.save and pickle.dump write. kInvalidData, with the offset
// of the opcode: an opcode that is not among them, one that needs more than the stack holds, a memo
// entry that was never stored, text that is not UTF-8, and every limit. `retryable` is set where
// the text ends before the pickle does. Nothing else is read, and nothing is ever imported or
// called.
Result<PickleDocument> ParsePickle(std::shared_ptr<const std::string> text, std::size_t begin,
                                   std::string_view source, const PickleLimits& limits = {});

}  // namespace couplingd
