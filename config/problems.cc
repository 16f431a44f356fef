#include "config/problems.h"

#include <fmt/format.h>

#include <algorithm>

namespace couplingd {

void Problems::Add(int line, const std::string& field, std::string cause, std::string hint) {
  const std::string place = line > 0 ? fmt::format("{}:{}", source_, line) : source_;
  problems_.push_back({line,
                       fmt::format("{}: {}{}{}", place, field, field.empty() ? "" : ": ", cause),
                       std::move(hint)});
}

void Problems::AddAt(const std::string& field, std::string cause, std::string hint) {
  std::string holder = field;
  while (!holder.empty() && !places_.contains(holder)) {
    const std::size_t cut = holder.find_last_of(".[");
    holder.resize(cut == std::string::npos ? 0 : cut);
  }
  Add(holder.empty() ? 0 : places_.at(holder), field, std::move(cause), std::move(hint));
}

Status Problems::ToStatus() const {
  if (problems_.empty()) return {};
  std::vector<Problem> sorted = problems_;
  std::ranges::stable_sort(sorted, {}, &Problem::line);
  if (sorted.size() == 1) return Fail(ErrorKind::kInvalidData, sorted[0].text, sorted[0].hint);
  std::string text;
  for (const Problem& problem : sorted) {
    if (!text.empty()) text += '\n';
    text +=
        problem.hint.empty() ? problem.text : fmt::format("{} ({})", problem.text, problem.hint);
  }
  return Fail(ErrorKind::kInvalidData, text);
}

}  // namespace couplingd
