#include "queries/parameters.h"

#include <fmt/format.h>

#include <cmath>
#include <ctime>

#include "base/units.h"

namespace couplingd {
namespace {

const std::string* Find(const QueryParameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  return found == parameters.end() || found->second.empty() ? nullptr : &found->second;
}

Result<double> ParseEnd(std::string_view text, std::string_view parameter) {
  Result<double> value = ParseCount(text);
  if (!value) {
    return Fail(ErrorKind::kUsage, fmt::format("{}: \"{}\" is not a number", parameter, text),
                "write A..B, A.. or ..B with numbers such as 1000, 2B or 1e9");
  }
  return value;
}

Result<UnixMillis> ParseSince(const std::string& text, const Clock& clock) {
  if (const auto span = ParseDuration(text)) return clock.Now() - span->count();
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (!end) end = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
  if (!end || *end != '\0') {
    return Fail(ErrorKind::kUsage, fmt::format("since: \"{}\" is neither a span nor a time", text),
                "write 7d, 12h, 2026-11-01 or 2026-11-01T12:00:00Z");
  }
  return static_cast<UnixMillis>(::timegm(&parts)) * 1000;
}

Result<std::int64_t> ParseInteger(const std::string& text, std::string_view parameter) {
  const double value = TRY(ParseEnd(text, parameter));
  if (std::nearbyint(value) != value || value > 9e15) {
    return Fail(ErrorKind::kUsage,
                fmt::format("{}: \"{}\" is not a whole number", parameter, text));
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace

Result<Range> ParseRange(std::string_view text, std::string_view parameter) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) {
    const double value = TRY(ParseEnd(text, parameter));
    return Range{value, value};
  }
  Range range;
  if (dots > 0) range.low = TRY(ParseEnd(text.substr(0, dots), parameter));
  if (dots + 2 < text.size()) range.high = TRY(ParseEnd(text.substr(dots + 2), parameter));
  if (range.low && range.high && *range.low > *range.high) {
    return Fail(ErrorKind::kUsage,
                fmt::format("{}: \"{}\" ends before it begins", parameter, text));
  }
  return range;
}

Result<HistoryFilter> ParseFilter(const QueryParameters& parameters, const Clock& clock) {
  HistoryFilter filter;
  if (const auto* run = Find(parameters, "run")) filter.run = *run;
  if (const auto* family = Find(parameters, "family")) filter.family = *family;
  if (const auto* task = Find(parameters, "task")) filter.task = *task;
  if (const auto* metric = Find(parameters, "metric")) filter.metric = *metric;
  if (const auto* generation = Find(parameters, "generation")) {
    filter.generation =
        *generation == "all" ? 0 : static_cast<int>(TRY(ParseInteger(*generation, "generation")));
  }
  if (const auto* step = Find(parameters, "step")) {
    const Range range = TRY(ParseRange(*step, "step"));
    if (range.low) filter.min_step = static_cast<std::int64_t>(std::ceil(*range.low));
    if (range.high) filter.max_step = static_cast<std::int64_t>(std::floor(*range.high));
  }
  if (const auto* tokens = Find(parameters, "tokens")) {
    const Range range = TRY(ParseRange(*tokens, "tokens"));
    filter.min_tokens = range.low;
    filter.max_tokens = range.high;
  }
  if (const auto* since = Find(parameters, "since")) filter.since = TRY(ParseSince(*since, clock));
  if (const auto* limit = Find(parameters, "limit"))
    filter.limit = TRY(ParseInteger(*limit, "limit"));
  return filter;
}

Result<std::vector<AxisPair>> ParseAxes(const QueryParameters& parameters, const Config& config) {
  const std::string* text = Find(parameters, "axes");
  if (!text) return config.axes;
  std::string names;
  for (const AxisPair& pair : config.axes) {
    if (pair.name == *text) return std::vector{pair};
    names += (names.empty() ? "" : ", ") + pair.name;
  }
  const std::size_t comma = text->find(',');
  const auto reasoning = TaskMetric::Parse(text->substr(0, comma));
  const auto truthfulness =
      comma == std::string::npos ? std::nullopt : TaskMetric::Parse(text->substr(comma + 1));
  if (!reasoning || !truthfulness) {
    return Fail(ErrorKind::kUsage, fmt::format("axes: \"{}\" is no axis pair", *text),
                fmt::format("name a configured pair ({}), or write two metrics such as "
                            "arc_easy.acc,winogrande.acc",
                            names));
  }
  return std::vector{AxisPair{*text, *reasoning, *truthfulness}};
}

Result<std::optional<double>> ParseNumber(const QueryParameters& parameters,
                                          const std::string& name) {
  const std::string* text = Find(parameters, name);
  if (!text) return std::nullopt;
  const double value = TRY(ParseEnd(*text, name));
  if (!(value > 0)) return Fail(ErrorKind::kUsage, fmt::format("{}: it must be above 0", name));
  return value;
}

Result<CouplingOver> ParseOver(const QueryParameters& parameters) {
  const std::string* text = Find(parameters, "over");
  if (!text || *text == "steps") return CouplingOver::kSteps;
  if (*text == "scale") return CouplingOver::kScale;
  return Fail(ErrorKind::kUsage, fmt::format("over: \"{}\" is neither steps nor scale", *text));
}

}  // namespace couplingd
