#include "cli/views.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/units.h"
#include "cli/cells.h"
#include "cli/columns.h"
#include "cli/pack_rows.h"
#include "cli/screen_text.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

Column ScoreInterval() {
  return {"95 % interval",
          [](const JsonValue& row) {
            const std::string metric = TextOf(row, "metric");
            if (!FindMember(row, "low")) return std::string(kAbsent);
            return fmt::format("[{}, {}]", ScoreText(NumberOf(row, "low"), metric),
                               ScoreText(NumberOf(row, "high"), metric));
          },
          true};
}

// The metric of one axis of "reasoning,truthfulness".
std::string AxisOf(const JsonValue& row, int axis) {
  const std::string axes = TextOf(row, "axes");
  const std::size_t comma = axes.find(',');
  if (axis == 0) return axes.substr(0, comma);
  return comma == std::string::npos ? "" : axes.substr(comma + 1);
}

Column AxisScore(std::string header, std::string_view key, int axis) {
  return {std::move(header),
          [key, axis](const JsonValue& row) {
            const std::string metric = AxisOf(row, axis);
            return ScoreText(NumberOf(row, key), metric.substr(metric.rfind('.') + 1));
          },
          true};
}

Column Score(std::string header, std::string_view key) {
  return {
      std::move(header),
      [key](const JsonValue& row) { return ScoreText(NumberOf(row, key), TextOf(row, "metric")); },
      true};
}

// "task.metric"
Column TaskAndMetric() {
  return {"score",
          [](const JsonValue& row) { return TextOf(row, "task") + "." + TextOf(row, "metric"); },
          false, true};
}

// Of a comparison: a score as percent, a place as a count, γ as it stands.
std::string ComparedText(const JsonValue& row, std::string_view key) {
  const std::string kind = TextOf(row, "kind"), what = TextOf(row, "what");
  if (kind == "score") return ScoreText(NumberOf(row, key), what.substr(what.rfind('.') + 1));
  return kind == "gamma" ? NumberCell(row, key) : CountCell(row, key);
}

Column ComparedLabel() {
  return {"line",
          [](const JsonValue& row) {
            const std::string kind = TextOf(row, "kind"), what = TextOf(row, "what");
            if (kind == "score") return what;
            return (kind == "gamma" ? "γ" : kind) + " of " + what;
          },
          false, true};
}

Column Compared(std::string header, std::string_view key) {
  return {std::move(header), [key](const JsonValue& row) { return ComparedText(row, key); }, true};
}

// A score's difference in points, a turn's as a factor.
std::string DifferenceText(const JsonValue& row, std::string_view key) {
  const auto value = NumberOf(row, key);
  if (!value) return std::string(kAbsent);
  const std::string kind = TextOf(row, "kind"), what = TextOf(row, "what");
  if (kind == "D_c" || kind == "N_c") return fmt::format("×{:.2f}", *value);
  const bool is_share = kind == "score" && IsFractionMetric(what.substr(what.rfind('.') + 1));
  return fmt::format("{:+.2f}", is_share ? 100 * *value : *value);
}

Column Difference() {
  return {"B − A", [](const JsonValue& row) { return DifferenceText(row, "difference"); }, true};
}

Column DifferenceInterval() {
  return {"interval",
          [](const JsonValue& row) {
            if (!FindMember(row, "difference")) return std::string(kAbsent);
            const auto end = [&](std::string_view key, std::string_view unbounded) {
              return FindMember(row, key) ? DifferenceText(row, key) : std::string(unbounded);
            };
            return fmt::format("[{}, {}]", end("low", "-∞"), end("high", "∞"));
          },
          true};
}

Column VerdictColumn() {
  return {"B is", [](const JsonValue& row) {
            const JsonValue* survives = FindMember(row, "survives");
            return TextOf(row, "verdict") + (survives && survives->IsTrue() ? " *" : "");
          }};
}

// The run, or the family where the row is about all of it.
Column Subject() {
  return {"run or family",
          [](const JsonValue& row) {
            const std::string run = TextOf(row, "run");
            return run.empty() ? TextCell(row, "family") : run;
          },
          false, true};
}

std::string Reason(const JsonValue& row) { return TextOf(row, "reason"); }

std::string ReasonAndChoice(const JsonValue& row) {
  const std::string reason = Reason(row), choice = TextOf(row, "choice");
  return reason.empty() || choice.empty() ? reason + choice : reason + "; " + choice;
}

std::string RangeText(const JsonValue& row, std::string_view low, std::string_view high) {
  return fmt::format("[{}, {}]", NumberCell(row, low), NumberCell(row, high));
}

std::string LossNote(const JsonValue& row) {
  std::string note;
  if (FindMember(row, "exponent")) {
    note = fmt::format("exponent {}, floor {}", RangeText(row, "exponent_low", "exponent_high"),
                       RangeText(row, "floor_low", "floor_high"));
  }
  if (FindMember(row, "partial")) {
    note += fmt::format("{}given the loss, {} go together by {} (n {})", note.empty() ? "" : "; ",
                        TextOf(row, "axes"), RangeText(row, "partial_low", "partial_high"),
                        IntegerCell(row, "n"));
  }
  const std::string reason = TextOf(row, "reason");
  return note + (note.empty() || reason.empty() ? "" : "\n") + reason;
}

std::string AuditNote(const JsonValue& row) {
  const std::string advice = TextOf(row, "advice");
  return TextOf(row, "result") + (advice.empty() ? "" : "\n→ " + advice);
}

// The flaws of a panel's row but those that mark nearly all rows.
std::string FlawNote(const JsonValue& row) {
  std::string note;
  const JsonValue* flaws = FindMember(row, "flaws");
  if (!flaws) return note;
  for (const JsonValue& flaw : flaws->GetArray()) {
    const std::string_view name(flaw.GetString(), flaw.GetStringLength());
    if (name == "mc2-called-mc1" || name == "no-origin") continue;
    note += (note.empty() ? "" : ", ") + std::string(name);
  }
  return note;
}

std::string ReproducedCell(const JsonValue& row, std::string_view key) {
  const auto value = NumberOf(row, key);
  if (!value) return std::string(kAbsent);
  if (TextOf(row, "unit") == "parameters") return FormatCount(*value);
  const double size = std::abs(*value);
  if (size != 0 && size < 1e-3) return fmt::format("{:.1e}", *value);
  return size < 10 ? fmt::format("{:.3f}", *value) : fmt::format("{:.4g}", *value);
}

std::string ReproducedInterval(const JsonValue& row) {
  if (!FindMember(row, "low") && !FindMember(row, "high")) return "";
  const auto end = [&](std::string_view key, std::string_view unbounded) {
    return FindMember(row, key) ? ReproducedCell(row, key) : std::string(unbounded);
  };
  return fmt::format("[{}, {}]", end("low", "-∞"), end("high", "∞"));
}

std::vector<View> MakeViews() {
  return {
      {"runs",
       {{Text("run", "run"), Text("family", "family"), Count("N", "parameters"),
         Integer("gen", "generation"), Integer("last step", "last_step"),
         Count("tokens", "last_tokens"),
         Cell("checkpoints", "checkpoints", ListCell, false, true)}},
       {"run", "family", "generation", "path", "parameters", "d_model", "tokens_per_step",
        "checkpoints", "last_step", "last_tokens"},
       "no runs yet: put one under runs: in the configuration, or import results"},
      {"checkpoints",
       {{Integer("id", "id"), Text("run", "run"), Integer("gen", "generation"),
         Integer("step", "step"), Count("tokens", "tokens"), Cell("state", "state", TextCell),
         Integer("tries", "attempts"), Cell("updated (UTC)", "updated_at", TimeCell)},
        Reason},
       {"id", "run", "generation", "step", "tokens", "parameters", "path", "state", "reason",
        "attempts", "weights_hash", "discovered_at", "updated_at"},
       "no checkpoints match"},
      {"scores",
       {{Text("run", "run"), Integer("step", "step"), Count("tokens", "tokens"),
         Text("task", "task"), Text("metric", "metric"), Score("value", "value"),
         Score("± s.e.", "stderr"), Integer("n", "n")}},
       {"run", "family", "checkpoint", "step", "tokens", "parameters", "task", "metric", "value",
        "stderr", "n"},
       "no scores match"},
      {"noise",
       {{Text("run", "run"), TaskAndMetric(), Integer("n", "checkpoints"), Score("value", "value"),
         Score("± items", "item_noise"), Score("± steps", "step_noise"), Score("moved", "change"),
         Number("S/N", "snr")},
        Reason},
       {"run",         "family",          "generation",
        "task",        "metric",          "checkpoints",
        "first_step",  "last_step",       "value",
        "n",           "clusters",        "item_noise",
        "step_noise",  "step_noise_low",  "step_noise_high",
        "noise",       "change",          "change_stderr",
        "snr",         "smallest",        "limit",
        "spread",      "spread_snr",      "with",
        "correlation", "correlation_low", "correlation_high",
        "reason"},
       "no scores match"},
      {"compare",
       {{ComparedLabel(), Compared("A", "a"), Compared("B", "b"), Difference(),
         DifferenceInterval(), VerdictColumn()},
        Reason},
       {"kind", "what", "a", "b", "difference", "low", "high", "level", "p", "p_holm", "verdict",
        "survives", "n", "method", "reason"},
       "the runs share no metric at the matched checkpoints"},
      {"settings",
       {{Text("setting", "name"), Text("A", "a"), Text("B", "b"), Text("from", "source")}},
       {"name", "a", "b", "source"},
       "no setting is known to differ"},
      {"audit",
       {{Subject(), Cell("over", "over", TextCell), Number("γ", "gamma"),
         Cell("check", "check", TextCell), Cell("verdict", "verdict", TextCell)},
        AuditNote},
       {"family", "run", "generation", "over", "axes", "gamma", "low", "high", "phase", "check",
        "result", "verdict", "advice"},
       "nothing to audit: no run has both axes scored; choose others with --axes"},
      {"loss",
       {{Subject(), Cell("over", "over", TextCell), Integer("points", "points"),
         Number("loss", "loss"), Number("exponent", "exponent"), Number("floor", "floor"),
         Number("r given loss", "partial")},
        LossNote},
       {"run",           "family",    "generation", "over",      "points",
        "from",          "to",        "loss",       "exponent",  "exponent_low",
        "exponent_high", "scale",     "floor",      "floor_low", "floor_high",
        "deviation",     "axes",      "n",          "partial",   "partial_low",
        "partial_high",  "change_at", "step",       "step_p",    "step_detectable",
        "reason"},
       "no losses are recorded: couplingctl import loss RUN FILE records them"},
      {"rescore",
       {{Text("run", "run"), Integer("step", "step"), Text("task", "task"),
         Text("metric", "metric"), Score("value", "value"), Score("± s.e.", "stderr"),
         Integer("n", "n"), Score("stored", "stored")},
        [](const JsonValue& row) { return TextOf(row, "problem"); }},
       {"run", "family", "generation", "checkpoint", "step", "tokens", "task", "metric", "value",
        "stderr", "n", "stored", "problem"},
       "no raw scores match"},
      {"history",
       {{Text("run", "run"), Integer("step", "step"), Count("tokens", "tokens"),
         AxisScore("reasoning", "reasoning", 0), AxisScore("truthful", "truthfulness", 1),
         Number("γ", "gamma"), Interval(), Cell("phase", "phase", TextCell)}},
       {"run", "family", "generation", "step", "tokens", "parameters", "axes", "reasoning",
        "reasoning_stderr", "truthfulness", "truthfulness_stderr", "gamma", "low", "high", "phase"},
       "no checkpoint has both axes scored; choose others with --axes TASK.METRIC,TASK.METRIC"},
      {"coupling",
       {{Subject(), Cell("over", "over", TextCell), Count("at", "at"), Number("γ", "gamma"),
         Interval(), Cell("phase", "phase", TextCell), Integer("n", "n"),
         Optional(Number("loss", "loss"))},
        Reason},
       {"family", "run", "generation", "axes", "over", "at", "tokens", "gamma", "low", "high",
        "level", "phase", "p_tax", "p_bonus", "method", "n", "loss", "reason"},
       "no coupling to show; choose axes with --axes TASK.METRIC,TASK.METRIC"},
      {"forecast",
       {{Subject(), Cell("what", "quantity", TextCell), Cell("method", "method", TextCell),
         Count("value", "value"), Interval(), Cell("state", "state", TextCell),
         Number("P(cross)", "p_crossing"), Integer("n", "n")},
        ReasonAndChoice},
       {"family", "run",   "axes",       "quantity", "method",    "value",  "low",
        "high",   "level", "p_crossing", "horizon",  "n",         "reason", "low80",
        "high80", "state", "p_passed",   "observed", "preferred", "choice"},
       "no forecast to show; choose axes with --axes TASK.METRIC,TASK.METRIC"},
      {"forecast-scores",
       {{Subject(), TaskAndMetric(), Count("at", "at"), Score("last", "last"),
         Score("forecast", "value"), ScoreInterval(), Text("method", "method")},
        ReasonAndChoice},
       {"family",   "run", "over", "task",       "metric", "at",     "method",
        "value",    "low", "high", "level",      "low80",  "high80", "last",
        "observed", "n",   "past", "past_error", "choice", "reason"},
       "no benchmark to forecast"},
      {"forecast-terms",
       {{Subject(), Text("rate of", "equation"), Text("term", "term"),
         Number("coefficient", "value"), Interval(), Number("kept", "inclusion")},
        Reason},
       {"family", "run", "axes", "over", "equation", "term", "value", "low", "high", "level",
        "inclusion", "threshold", "n", "reason"},
       "no terms to show"},
      {"panel",
       {{Cell("model", "model", TextCell), Count("N", "parameters"), Percent("HSwag", "hellaswag"),
         Percent("TQA", "truthfulqa_mc2"), Percent("ARC", "arc_challenge"),
         Percent("WinoG", "winogrande"), Percent("MMLU", "mmlu"), Text("source", "source")},
        FlawNote},
       {"model", "family", "parameters", "d_model", "hellaswag", "truthfulqa_mc2", "arc_challenge",
        "winogrande", "mmlu", "tables", "source", "flaws"},
       "the panel is empty"},
      {"reproduce",
       {{Integer("row", "id"),
         Cell("published", "published", ReproducedCell, true),
         Cell("recomputed", "recomputed", ReproducedCell, true),
         {"interval", ReproducedInterval, true},
         Cell("verdict", "verdict", TextCell)},
        [](const JsonValue& row) {
          return TextOf(row, "quantity") + ": " + TextOf(row, "reason");
        }},
       {"id", "quantity", "unit", "published", "recomputed", "low", "high", "level", "verdict",
        "reason"},
       "nothing to reproduce"},
  };
}

}  // namespace

const View* FindView(std::string_view verb) {
  static const std::vector<View> views = [] {
    std::vector<View> all = MakeViews();
    std::ranges::move(AlertViews(), std::back_inserter(all));
    all.push_back(PackView());
    return all;
  }();
  const auto found = std::ranges::find(views, verb, &View::verb);
  return found == views.end() ? nullptr : &*found;
}

}  // namespace couplingd
