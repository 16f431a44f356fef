// What is wrong with a configuration file, gathered so that one reading shows all of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace couplingd {

class Problems {
 public:
  explicit Problems(std::string source) : source_(std::move(source)) {}

  // `line` counts from 1; 0 where the problem has no place. `field` may be empty. Neither text
  // holds a secret.
  void Add(int line, const std::string& field, std::string cause, std::string hint = "");
  // Remembers the line of a field, for problems that are found after reading.
  void Place(const std::string& field, int line) { places_.emplace(field, line); }
  // Adds at the field's line, or at that of what holds it.
  void AddAt(const std::string& field, std::string cause, std::string hint = "");
  bool empty() const { return problems_.empty(); }
  // kInvalidData with one line per problem in order of lines, "SOURCE:LINE: FIELD: CAUSE"; success
  // where there is none.
  Status ToStatus() const;

 private:
  struct Problem {
    int line;
    std::string text;
    std::string hint;
  };
  std::string source_;
  std::vector<Problem> problems_;
  std::map<std::string, int> places_;
};

}  // namespace couplingd
