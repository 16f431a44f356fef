#include "cli/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "base/nearest.h"
#include "base/numbers.h"
#include "cli/cells.h"
#include "records/coupling.h"

namespace couplingd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNormal975 = 1.959963984540054;  // standard normal quantile of 0.975

std::string Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

std::unexpected<Error> NotUnderstood(std::string_view term, std::string cause) {
  return Fail(ErrorKind::kUsage, fmt::format("gate: \"{}\": {}", term, cause),
              "write such as truthfulqa_mc2.acc>=0.40, phase!=tax or gamma>-0.1");
}

Result<double> ParseValue(std::string text, std::string_view term) {
  const bool percent = text.ends_with('%');
  if (percent) text.pop_back();
  const auto number = ParseNumber<double>(text);
  if (!number) return NotUnderstood(term, fmt::format("\"{}\" is no number", text));
  return percent ? *number / 100 : *number;
}

Result<GateTerm> ParseTerm(std::string_view text) {
  const std::size_t at = text.find_first_of("<>=!");
  if (at == std::string_view::npos) return NotUnderstood(text, "there is no comparison in it");
  const std::size_t after = text.find_first_not_of("<>=!", at);
  GateTerm term;
  term.subject = Trimmed(text.substr(0, at));
  term.comparison =
      std::string(text.substr(at, after == std::string_view::npos ? after : after - at));
  const std::string right = after == std::string_view::npos ? "" : Trimmed(text.substr(after));
  if (term.comparison == "=") term.comparison = "==";
  static const std::set<std::string> kComparisons = {">=", ">", "<=", "<", "==", "!="};
  if (!kComparisons.contains(term.comparison)) {
    return NotUnderstood(text, fmt::format("\"{}\" is no comparison", term.comparison));
  }
  const bool is_equality = term.comparison == "==" || term.comparison == "!=";
  if (term.subject == "phase") {
    if (!ParsePhase(right))
      return NotUnderstood(text, "phases are tax, transition, bonus and undetermined");
    if (!is_equality) return NotUnderstood(text, "a phase is compared with == or !=");
    term.word = right;
    return term;
  }
  if (term.subject != "gamma" && !TaskMetric::Parse(term.subject)) {
    return NotUnderstood(
        text, fmt::format("\"{}\" is neither gamma, phase nor TASK.METRIC", term.subject));
  }
  if (is_equality) return NotUnderstood(text, "measured numbers are compared with >=, >, <= or <");
  term.number = TRY(ParseValue(right, text));
  return term;
}

// Whether all, none or some of [low, high] satisfies the comparison.
Verdict Compare(const GateTerm& term, double low, double high) {
  const auto satisfies = [&](double value) {
    if (term.comparison == ">=") return value >= term.number;
    if (term.comparison == ">") return value > term.number;
    if (term.comparison == "<=") return value <= term.number;
    return value < term.number;
  };
  if (satisfies(low) && satisfies(high)) return Verdict::kHolds;
  return satisfies(low) || satisfies(high) ? Verdict::kUndetermined : Verdict::kDoesNotHold;
}

std::string_view Word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHolds:
      return "holds";
    case Verdict::kDoesNotHold:
      return "does not hold";
    case Verdict::kUndetermined:
      return "undetermined";
  }
  return "";
}

void Note(GateResult& result, Verdict verdict, const GateTerm& term, const std::string& about,
          const std::string& seen) {
  result.reasons.push_back(fmt::format("{}: {}: {}{}{}", term.Text(), Word(verdict), about,
                                       about.empty() ? "" : " ", seen));
  if (verdict == Verdict::kDoesNotHold || result.verdict == Verdict::kHolds)
    result.verdict = verdict;
}

void GateEstimate(const GateTerm& term, const JsonValue& row, GateResult& result) {
  const std::string run = TextOf(row, "run");
  const std::string about = run.empty() ? TextOf(row, "family") : run;
  const auto gamma = NumberOf(row, "gamma");
  if (!gamma) return Note(result, Verdict::kUndetermined, term, about, "has no estimate");
  const std::string seen =
      fmt::format("has gamma {:.3f} {}, phase {}", *gamma, IntervalCell(row), TextOf(row, "phase"));
  if (term.subject == "phase") {
    const std::string phase = TextOf(row, "phase");
    const bool matches = (phase == term.word) == (term.comparison == "==");
    const bool open = phase == "undetermined" && term.word != "undetermined";
    return Note(result,
                open      ? Verdict::kUndetermined
                : matches ? Verdict::kHolds
                          : Verdict::kDoesNotHold,
                term, about, seen);
  }
  Note(result,
       Compare(term, NumberOf(row, "low").value_or(-kInfinity),
               NumberOf(row, "high").value_or(kInfinity)),
       term, about, seen);
}

}  // namespace

std::string GateTerm::Text() const {
  return fmt::format("{} {} {}", subject, comparison,
                     word.empty() ? fmt::format("{}", number) : word);
}

Result<Gate> ParseGate(std::string_view text) {
  Gate gate;
  std::string rest(text);
  for (std::size_t at; (at = rest.find("&&")) != std::string::npos;) rest.replace(at, 2, ",");
  while (true) {
    const std::size_t comma = rest.find(',');
    gate.terms.push_back(TRY(ParseTerm(Trimmed(std::string_view(rest).substr(0, comma)))));
    if (comma == std::string::npos) return gate;
    rest.erase(0, comma + 1);
  }
}

Result<GateResult> GateScores(const Gate& gate, const JsonValue& scores) {
  GateResult result;
  std::vector<std::string> known;
  for (const JsonValue& row : scores.GetArray()) {
    known.push_back(TextOf(row, "task") + "." + TextOf(row, "metric"));
  }
  for (const GateTerm& term : gate.terms) {
    const auto found = std::ranges::find(known, term.subject);
    if (found == known.end()) {
      return Fail(ErrorKind::kUsage, fmt::format("gate: there is no score {}", term.subject),
                  fmt::format("there are {}", fmt::join(known, ", ")));
    }
    const JsonValue& row = scores[static_cast<rapidjson::SizeType>(found - known.begin())];
    const double value = NumberOf(row, "value").value_or(0);
    const double half = kNormal975 * NumberOf(row, "stderr").value_or(0);
    Note(result, Compare(term, value - half, value + half), term, "",
         fmt::format("it is {:.4f} [{:.4f}, {:.4f}]", value, value - half, value + half));
  }
  return result;
}

Result<GateResult> GateCoupling(const Gate& gate, const JsonValue& couplings) {
  std::map<std::tuple<std::string, std::string, std::string>, const JsonValue*> newest;
  for (const JsonValue& row : couplings.GetArray()) {
    const JsonValue*& kept =
        newest[{TextOf(row, "family"), TextOf(row, "run"), TextOf(row, "axes")}];
    const auto order = [](const JsonValue& r) {
      return std::pair(NumberOf(r, "generation").value_or(1), NumberOf(r, "at").value_or(0));
    };
    if (!kept || order(*kept) <= order(row)) kept = &row;
  }
  GateResult result;
  for (const GateTerm& term : gate.terms) {
    if (term.subject != "gamma" && term.subject != "phase") {
      return Fail(ErrorKind::kUsage, fmt::format("gate: a coupling has no {}", term.subject),
                  "compare gamma or phase");
    }
    if (newest.empty()) Note(result, Verdict::kUndetermined, term, "", "there is no coupling");
    for (const auto& [place, row] : newest) GateEstimate(term, *row, result);
  }
  return result;
}

}  // namespace couplingd
