// The bootstrap of N_c as couplingd runs it, timed on one thread, for ./dev bench bootstrap.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "coupling/panel/base_panel.h"
#include "coupling/u_shape.h"

namespace couplingd {
namespace {

const Horizon kHorizon{7, 12};

struct Answer {
  double median = 0;
  Interval interval;
  double share = 0;
};

Answer Summarise(const CrossingSample& sample) {
  const auto quantiles = Quantiles(sample.places, {0.025, 0.5, 0.975});
  return {quantiles[1], {quantiles[0], quantiles[2]}, sample.ShareCrossing()};
}

// Milliseconds of the fastest and of the median repetition: draws, fits and quantiles.
struct Times {
  double best = 0, median = 0;
};

Times Time(const Eigen::VectorXd& x, const Eigen::VectorXd& y, int replicates, int repeats,
           std::vector<Answer>& answers) {
  std::vector<double> milliseconds;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    answers.push_back(Summarise(ResampleUShape(x, y, kHorizon, replicates, 1 + repeat)));
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
  }
  return {std::ranges::min(milliseconds), Quantile(milliseconds, 0.5)};
}

// The turns of draws made elsewhere: little-endian uint32 rows of as many indices as points.
// Written as doubles, NaN where there is none.
Status FollowDraws(const Eigen::VectorXd& x, const Eigen::VectorXd& y, const std::string& from,
                   const std::string& to) {
  const std::string bytes = TRY(ReadFile(from));
  std::vector<std::uint32_t> indices(bytes.size() / sizeof(std::uint32_t));
  std::memcpy(indices.data(), bytes.data(), indices.size() * sizeof(std::uint32_t));
  const auto points = static_cast<std::size_t>(x.size());
  if (indices.empty() || indices.size() % points != 0 || std::ranges::max(indices) >= points) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: no rows of {} indices below {}", from, points, points));
  }
  const UShapeDraws draws(x, y);
  std::string turns;
  for (std::span<const std::uint32_t> rest = indices; !rest.empty(); rest = rest.subspan(points)) {
    const double turn =
        draws.Turn(rest.first(points)).value_or(std::numeric_limits<double>::quiet_NaN());
    turns.append(reinterpret_cast<const char*>(&turn), sizeof(turn));
  }
  return WriteFileAtomically(to, turns);
}

struct Options {
  int replicates = 10000, repeats = 100;
  std::string draws, turns;
};

Status Run(const Options& options) {
  const auto models = PublishedPanel(TRY(ShippedBasePanel()), "bootstrap");
  const Eigen::VectorXd x = LogSizesOf(models);
  const Eigen::VectorXd y = 100 * ScoresOf(models, &PanelModel::truthfulqa);
  if (!options.draws.empty()) return FollowDraws(x, y, options.draws, options.turns);
  std::vector<Answer> answers;
  const Times times = Time(x, y, options.replicates, options.repeats, answers);
  const Answer& answer = answers.front();
  JsonWriter json;
  json.BeginObject().Field("best_ms", times.best).Field("median_ms", times.median);
  json.Field("median", answer.median).Field("low", answer.interval.low);
  json.Field("high", answer.interval.high).Field("share", answer.share);
  json.Key("x").BeginArray();
  for (const double value : x) json.Value(value);
  json.EndArray().Key("y").BeginArray();
  for (const double value : y) json.Value(value);
  json.EndArray().EndObject();
  std::puts(json.Text().c_str());
  return {};
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) {
  couplingd::Options options;
  CLI::App app("Times the bootstrap of N_c over the 14 published models");
  app.add_option("--replicates", options.replicates);
  app.add_option("--repeats", options.repeats);
  auto* draws = app.add_option("--draws", options.draws, "Follow these draws instead");
  app.add_option("--turns", options.turns, "Where their turns go")->needs(draws);
  CLI11_PARSE(app, argc, argv);
  const auto status = couplingd::Run(options);
  if (!status) std::fprintf(stderr, "%s\n", status.error().Text().c_str());
  return status ? 0 : couplingd::ExitCode(status.error().kind);
}
