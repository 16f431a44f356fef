// The other end of each kind of sink, as a test wants it to behave.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "tests/alerts/test_support.h"

namespace couplingd::testing {

enum class Behaviour {
  kAccept,
  kTryLater,  // says so
  kRefuse,    // for good
  kHang,
  kBreak,      // goes away in the middle
  kTalkative,  // tries later, and repeats what it was sent, control characters, and 5 MB more
};

// Secrets that lead to far ends, and parts of them that must show up nowhere.
extern const std::vector<std::string> kSecretParts;

class FarEnd {
 public:
  virtual ~FarEnd() = default;
  // A sink's configuration that leads here.
  virtual SinkConfig Config() const = 0;
  // Called once the sink was made.
  virtual void Begin() {}
  // What was taken, as it came.
  virtual std::vector<std::string> Taken() const = 0;
};

// nullptr where the kind cannot behave so (a file does not hang), or where it is not known.
std::unique_ptr<FarEnd> MakeFarEnd(std::string_view kind, Behaviour behaviour,
                                   const TemporaryFolder& folder);

}  // namespace couplingd::testing
