// The commented example file, made from the table of keys.
#pragma once

#include <string>

namespace couplingd {

// The text of config/couplingd.example.yaml: every key with its default and its comment. It passes
// ParseConfig.
std::string ExampleConfigText();

}  // namespace couplingd
