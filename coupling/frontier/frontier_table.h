// Models with two scores each, their labs and dates: what `couplingctl frontier` looks at.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace couplingd {

struct FrontierModel {
  std::string name;
  std::string lab;
  std::string date;            // "2025", "2025-04" or "2025-04-16"; empty where unknown
  std::optional<double> year;  // 2025.29; absent where the month is unknown
  double x = 0;                // fractions
  double y = 0;
  std::string subset;  // "post-cutoff": released after the line was fixed, and not part of it
  std::optional<double> h_published;
  std::vector<std::string> flaws;
  std::string source;

  bool IsLater() const { return subset == "post-cutoff"; }
};

struct FrontierTable {
  std::string source;          // a file's name, or what was shipped
  std::string x_name, y_name;  // of the benchmarks
  std::vector<FrontierModel> models;
};

// A forecast someone made in print, with what would confirm and what would refute it.
struct FrontierPrediction {
  int id = 0;
  std::string name, deadline, pass, fail, source;
};

struct FrontierFlaw {
  std::string name, explanation;
};

// A model that was also scored on IFEval.
struct IfevalModel {
  std::string name;
  double x = 0, y = 0, ifeval = 0;
  std::string source;
};

// A correlation that was printed without its scores.
struct PrintedPair {
  std::string first, second;
  double r = 0;
  int n = 0;
  std::string source;
};

struct FrontierData {
  FrontierTable table;
  std::vector<IfevalModel> ifeval;
  std::vector<PrintedPair> pairs;
  std::vector<FrontierPrediction> predictions;
  std::vector<FrontierFlaw> flaws;
};

struct FrontierColumns {
  std::string x = "x";
  std::string y = "y";
  bool percent = false;  // scores stand in percent, else they are fractions
};

// Columns name, lab and the two scores; date, subset, h_published, flaws and source as well where
// they are there. kInvalidData names source, line and field: a missing column, an empty name or
// lab, a name that stands twice, a date or a number that does not parse, a score outside its range.
Result<FrontierTable> ReadFrontierTable(std::string_view csv, std::string_view source,
                                        const FrontierColumns& columns);

// The decimal year of "2025-04" (the middle of the month) or "2025-04-16"; absent for "2025" and
// for "". kInvalidData for anything else.
Result<std::optional<double>> ParseReleaseDate(std::string_view date);

// What is part of the program: SWE-bench Verified and GPQA Diamond of 39 models, and seven
// predictions made of them (arXiv:2605.18838's companion).
Result<FrontierData> ShippedFrontier();

}  // namespace couplingd
