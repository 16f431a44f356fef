// What yaml-cpp lets pass: repeated keys, aliases that unfold without bound, deep nesting, a second
// document.
#pragma once

#include <string>

#include "config/problems.h"

namespace couplingd {

struct YamlLimits {
  int max_depth = 32;
  long max_nodes = 100000;  // with every alias unfolded
};

// Reads the text as events and adds what it finds to `problems`, a syntax error included. Where it
// added nothing, YAML::Load(text) succeeds and may be walked in full.
void AuditYaml(const std::string& text, Problems& problems, const YamlLimits& limits = {});

}  // namespace couplingd
