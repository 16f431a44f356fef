#include "cli/frontier_view.h"

#include <fmt/format.h>

#include "cli/cells.h"
#include "cli/screen_text.h"
#include "cli/table.h"

namespace couplingd {
namespace {

// A fraction in points: "+3.5", or "73.5".
std::string Points(std::optional<double> value, bool sign = false) {
  if (!value) return std::string(kAbsent);
  return sign ? fmt::format("{:+.1f}", 100 * *value) : fmt::format("{:.1f}", 100 * *value);
}

std::string Ends(const JsonValue& of, std::string_view low, std::string_view high, double scale,
                 int digits) {
  const auto from = NumberOf(of, low), to = NumberOf(of, high);
  if (!from || !to) return "";
  return fmt::format("[{:.{}f}, {:.{}f}]", scale * *from, digits, scale * *to, digits);
}

std::string PText(std::optional<double> p) {
  if (!p) return "";
  return *p < 1e-3 ? fmt::format("p {:.1e}", *p) : fmt::format("p {:.2g}", *p);
}

std::string Wrapped(std::string_view label, const std::string& text, std::size_t width) {
  constexpr std::size_t kIndent = 14;
  std::string all;
  for (const std::string& line : Wrap(Printable(text), width - kIndent)) {
    all += fmt::format("{:<14}{}\n", all.empty() ? label : "", line);
  }
  return all;
}

std::string CorrelationLine(std::string_view label, const JsonValue* r, const std::string& more,
                            std::size_t width) {
  if (!r || !r->IsObject()) return "";
  const std::string labs = Ends(*r, "lab_low", "lab_high", 1, 2);
  return Wrapped(
      label,
      fmt::format("{:.2f} {}{}, {}, n {}{}", NumberOf(*r, "value").value_or(0),
                  Ends(*r, "low", "high", 1, 2), labs.empty() ? "" : ", labs drawn anew " + labs,
                  PText(NumberOf(*r, "p")), IntegerCell(*r, "n"), more),
      width);
}

std::string LineText(const JsonValue& answer, std::size_t width) {
  const JsonValue& line = *FindMember(answer, "line");
  std::string text =
      Wrapped("line",
              fmt::format("{} = {:.3f} {} × {} + {} {} points, from {} models of {} labs",
                          TextOf(answer, "y"), NumberOf(line, "slope").value_or(0),
                          Ends(line, "slope_low", "slope_high", 1, 2), TextOf(answer, "x"),
                          Points(NumberOf(line, "intercept")),
                          Ends(line, "intercept_low", "intercept_high", 100, 1),
                          IntegerCell(line, "n"), IntegerCell(line, "labs")),
              width);
  text += CorrelationLine("r", FindMember(answer, "r"), "", width);
  text += CorrelationLine("r, x ≥ 70 %", FindMember(answer, "r_upper"), "", width);
  const std::string reason = TextOf(answer, "r_given_date_reason");
  text += reason.empty() ? CorrelationLine("r, given date", FindMember(answer, "r_given_date"),
                                           " with a month", width)
                         : Wrapped("r, given date", "none: " + reason, width);
  return text;
}

std::string HoldoutText(const JsonValue& answer, std::size_t width) {
  std::string text;
  if (const JsonValue* effect = FindMember(answer, "lab_effect")) {
    text += Wrapped("lab effect",
                    fmt::format("F {:.2f}, {} by relabelling", NumberOf(*effect, "f").value_or(0),
                                PText(NumberOf(*effect, "p"))),
                    width);
  }
  if (const JsonValue* sum = FindMember(answer, "holdout")) {
    text +=
        Wrapped("lab held out",
                fmt::format("mean error {} ± {} points or {:.1f} %; a constant errs by {} "
                            "(labs with 3 models, {} of them)",
                            Points(NumberOf(*sum, "error")), Points(NumberOf(*sum, "error_sd")),
                            100 * NumberOf(*sum, "relative_error").value_or(0),
                            Points(NumberOf(*sum, "constant_error")), IntegerCell(*sum, "labs")),
                width);
  }
  if (const JsonValue* later = FindMember(answer, "later")) {
    const std::string repeated = IntegerCell(*later, "repeated");
    text += Wrapped(
        "later models",
        fmt::format("{} of {} within their intervals; the line errs by {} points, the mean of "
                    "x ≥ 70 % by {}; r with all {:.2f}{}",
                    IntegerCell(*later, "within"), IntegerCell(*later, "n"),
                    Points(NumberOf(*later, "error")), Points(NumberOf(*later, "constant_error")),
                    NumberOf(*later, "r_all").value_or(0),
                    repeated == "0" ? "" : "; " + repeated + " repeats an earlier model's scores"),
        width);
  }
  return text;
}

Column Percent(std::string header, std::string key) {
  return {std::move(header), [key](const JsonValue& row) { return Points(NumberOf(row, key)); },
          true};
}

Column Field(std::string header, std::string key) {
  return {std::move(header),
          [key](const JsonValue& row) { return Points(NumberOf(row, key), true); }, true};
}

Column Words(std::string header, std::string key) {
  return {std::move(header), [key](const JsonValue& row) { return TextCell(row, key); }, false,
          true};
}

TableLayout ModelLayout() {
  return {{Words("model", "name"),
           Words("lab", "lab"),
           Words("date", "date"),
           Percent("x", "x"),
           Percent("y", "y"),
           Field("h", "h"),
           Percent("±", "high"),
           {"side",
            [](const JsonValue& row) {
              const std::string side = TextOf(row, "side");
              return side == "within" ? std::string() : side;
            }},
           {"", [](const JsonValue& row) {
              const JsonValue* fitted = FindMember(row, "fitted");
              return std::string(fitted && fitted->IsFalse() ? "later" : "");
            }}}};
}

TableLayout LabLayout() {
  const auto half = [](const char* low, const char* high, double scale, int digits) {
    return [=](const JsonValue& row) {
      const auto from = NumberOf(row, low), to = NumberOf(row, high);
      return from && to ? fmt::format("{:.{}f}", scale * (*to - *from) / 2, digits)
                        : std::string(kAbsent);
    };
  };
  return {{Words("lab", "lab"),
           {"n", [](const JsonValue& row) { return IntegerCell(row, "n"); }, true},
           Field("mean h", "mean_h"),
           {"±", half("low", "high", 100, 1), true},
           {"slope",
            [](const JsonValue& row) {
              const auto slope = NumberOf(row, "slope");
              return slope ? fmt::format("{:.2f}", *slope) : std::string(kAbsent);
            },
            true},
           {"±", half("slope_low", "slope_high", 1, 2), true},
           Percent("held out", "error"),
           Percent("in %", "relative_error"),
           Percent("constant", "constant_error")}};
}

TableLayout SaturationLayout() {
  const auto two = [](const char* key) {
    return [key](const JsonValue& row) {
      const auto value = NumberOf(row, key);
      return value ? fmt::format("{:.2f}", *value) : std::string(kAbsent);
    };
  };
  return {{Words("top by", "by"),
           {"with later",
            [](const JsonValue& row) {
              const JsonValue* with = FindMember(row, "with_later");
              return std::string(with && with->IsTrue() ? "yes" : "no");
            }},
           Percent("spread", "spread"),
           Percent("other", "other_spread"),
           {"σ", two("sigma"), true},
           {"by chance",
            [](const JsonValue& row) {
              return fmt::format("{:.2f} {}", NumberOf(row, "null_median").value_or(0),
                                 Ends(row, "null_low", "null_high", 1, 2));
            }},
           {"P(≤ σ)",
            [](const JsonValue& row) {
              return fmt::format("{:.3f}", NumberOf(row, "null_p").value_or(1));
            },
            true}}};
}

TableLayout PredictionLayout() {
  return {{{"", [](const JsonValue& row) { return IntegerCell(row, "id"); }, true},
           Words("prediction", "name"),
           Words("until", "deadline"),
           Words("stands", "state")},
          [](const JsonValue& row) { return TextOf(row, "evidence"); }};
}

}  // namespace

std::string RenderFrontier(const JsonValue& answer, std::size_t width) {
  std::string text = LineText(answer, width) + HoldoutText(answer, width);
  const auto add = [&](const char* key, const std::string& title, const TableLayout& layout) {
    const JsonValue* rows = FindMember(answer, key);
    if (!rows || !rows->IsArray() || rows->Empty()) return;
    text += "\n" + title + RenderTable(*rows, layout, width);
  };
  std::string axes;
  for (const std::string& line :
       Wrap(Printable(fmt::format("x is {}, y is {}; a side where h is more than chance",
                                  TextOf(answer, "x"), TextOf(answer, "y"))),
            width)) {
    axes += line + "\n";
  }
  add("models", axes, ModelLayout());
  add("labs", "", LabLayout());
  add("saturation", "below σ = 0.2 the published rule rotates the benchmark\n", SaturationLayout());
  add("predictions", "published predictions, about releases after May 2026: none is decided\n",
      PredictionLayout());
  return text;
}

}  // namespace couplingd
