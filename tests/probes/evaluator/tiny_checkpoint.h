// A directory as a trainer would write it: the tiny Llama of tests/probes/model/data with a
// tokenizer of single characters that fits its vocabulary of 53.
#pragma once

#include <string>

#include "probes/benchmark/pack.h"
#include "probes/evaluator/settings.h"

namespace couplingd {

class TinyCheckpoint {
 public:
  TinyCheckpoint();
  ~TinyCheckpoint();

  const std::string& root() const { return root_; }
  std::string checkpoint() const { return root_ + "/checkpoint-10"; }
  std::string scores() const { return root_ + "/scores"; }
  // Writes the pack below the root and gives its directory.
  std::string Write(const Pack& pack) const;
  EvaluationSettings Settings(const Pack& pack) const;
  // As couplingd-probe hands it on.
  std::string RequestJson(const Pack& pack, const std::string& device = "cpu") const;

 private:
  std::string root_;
};

// Ten questions of two to four choices with a shared beginning.
Pack TinyPack();

}  // namespace couplingd
