// How long alerts take to their sinks beside one that takes messages and never answers, and without
// it: two daemons' worth of delivery at the same time, on real sockets.
#pragma once

#include <string>
#include <vector>

namespace couplingd::testing {

struct HungSinkOptions {
  std::string directory;  // made and removed
  int alerts = 200;
  int per_second = 9;  // less than the webhook's pace of 10
};

struct HungSinkFigures {
  // Milliseconds from before the commit to the last byte at the receiver, sorted; of two sinks.
  std::vector<double> without, beside;
  int expected = 0;  // of each
};

HungSinkFigures MeasureBesideHungSink(const HungSinkOptions& options);

// Of sorted values, the nearest rank.
double Percentile(const std::vector<double>& sorted, double share);

}  // namespace couplingd::testing
