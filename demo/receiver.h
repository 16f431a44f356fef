// The other end of the demo's webhook: takes alerts on loopback and keeps them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace couplingd {

struct ReceivedAlert {
  std::string state;  // "firing", "resolved"
  std::string run;
  std::string kind;
  std::string summary;
  std::string description;
  std::vector<std::string> actions;  // what is suggested, one sentence each
};

// Thread-safe; serves on a thread of its own until it is destroyed.
class Receiver {
 public:
  static Result<std::unique_ptr<Receiver>> Start();
  virtual ~Receiver() = default;
  virtual std::string Url() const = 0;
  // What came since the last call, in order of arrival.
  virtual std::vector<ReceivedAlert> Take() = 0;
};

}  // namespace couplingd
