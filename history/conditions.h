// The WHERE clause of a filter, with its values bound, never pasted.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "history/sqlite.h"
#include "history/store.h"

namespace couplingd {

class Conditions {
 public:
  // A clause with one "?" for every value.
  template <typename... T>
  void Add(std::string_view clause, const T&... values) {
    where_ += where_.empty() ? " WHERE " : " AND ";
    where_ += clause;
    (values_.emplace_back(values), ...);
  }
  void AddText(std::string_view clause, const std::string& value) {
    if (!value.empty()) Add(clause, value);
  }
  template <typename T>
  void AddBound(std::string_view clause, const std::optional<T>& value) {
    if (value) Add(clause, *value);
  }

  const std::string& where() const { return where_; }  // "" or " WHERE … AND …"
  const std::vector<SqlValue>& values() const { return values_; }

 private:
  std::string where_;
  std::vector<SqlValue> values_;
};

// The run's own columns of a join of runs r and checkpoints c: run, family, step, tokens and
// generation.
Conditions RunAndStepConditions(const HistoryFilter& filter);

// What LIMIT takes: -1 is unlimited.
inline std::int64_t SqlLimit(std::int64_t limit) { return limit > 0 ? limit : -1; }

// True where the filter's task and metric are those of one of the axes ("a.acc,b.mc2"), or empty.
bool MatchesAxes(const HistoryFilter& filter, std::string_view axes);

}  // namespace couplingd
