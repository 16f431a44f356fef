#include <fmt/format.h>

#include "base/json.h"
#include "daemon/executor.h"

namespace couplingd {
namespace {

constexpr std::string_view kSource = "answer of couplingd-probe inspect";

Result<InspectAnswer::Readiness> ParseReadiness(const std::string& text) {
  if (text == "ready") return InspectAnswer::Readiness::kReady;
  if (text == "incomplete") return InspectAnswer::Readiness::kIncomplete;
  if (text == "refused") return InspectAnswer::Readiness::kRefused;
  return Fail(ErrorKind::kInvalidData,
              fmt::format("{}: readiness \"{}\" is unknown", kSource, text));
}

}  // namespace

Result<InspectAnswer> ParseInspectAnswer(std::string_view text) {
  const JsonDocument json = TRY(ParseJson(text, kSource));
  InspectAnswer answer;
  answer.readiness = TRY(ParseReadiness(TRY(GetString(json, "readiness", kSource))));
  answer.reason = TRY(FindString(json, "reason", kSource)).value_or("");
  const std::string hint = TRY(FindString(json, "hint", kSource)).value_or("");
  if (!hint.empty()) answer.reason += " (" + hint + ")";
  answer.layout = TRY(FindString(json, "layout", kSource)).value_or("");
  answer.signature = TRY(FindString(json, "signature", kSource)).value_or("");
  answer.model_type = TRY(FindString(json, "model_type", kSource)).value_or("");
  answer.step = TRY(FindInt(json, "step", kSource));
  answer.tokens = TRY(FindDouble(json, "tokens", kSource));
  answer.parameters = TRY(FindDouble(json, "parameters", kSource));
  answer.ephemeral = TRY(FindBool(json, "ephemeral", kSource)).value_or(false);
  if (const auto width = TRY(FindInt(json, "d_model", kSource)))
    answer.d_model = static_cast<int>(*width);
  return answer;
}

}  // namespace couplingd
