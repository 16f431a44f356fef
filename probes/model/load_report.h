// What is known of weights once all of them were read. No libtorch.
#pragma once

#include <string>
#include <vector>

namespace couplingd {

struct LoadReport {
  std::string weights_hash;        // of all tensors in the source, as stored
  std::vector<std::string> notes;  // what a reader of the result should know
};

}  // namespace couplingd
