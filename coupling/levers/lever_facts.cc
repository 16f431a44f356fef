#include "coupling/levers/lever_facts.h"

#include <fmt/format.h>

#include "base/json.h"
#include "coupling/levers/lever_text.h"

namespace couplingd {
namespace {

std::unexpected<Error> Problem(std::string_view source, std::string_view field,
                               std::string_view cause) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: field \"{}\" {}", source, field, cause));
}

Result<const JsonValue*> Member(const JsonValue& object, std::string_view key,
                                std::string_view source) {
  const JsonValue* member = FindMember(object, key);
  if (!member) return Problem(source, key, "is missing");
  return member;
}

// Every element of the array `key`, read by `read`.
template <typename T, typename Read>
Result<std::vector<T>> ReadAll(const JsonValue& object, std::string_view key,
                               std::string_view source, const Read& read) {
  const JsonValue& array = *TRY(Member(object, key, source));
  if (!array.IsArray()) return Problem(source, key, "must be an array");
  std::vector<T> all;
  for (const JsonValue& element : array.GetArray()) {
    all.push_back(TRY(read(element, fmt::format("{} {}[{}]", source, key, all.size()))));
  }
  return all;
}

Result<Eigen::VectorXd> ToVector(const JsonValue& array, std::string_view key,
                                 std::string_view source) {
  if (!array.IsArray()) return Problem(source, key, "must be an array of numbers");
  Eigen::VectorXd vector(array.Size());
  for (rapidjson::SizeType i = 0; i < array.Size(); ++i) {
    if (!array[i].IsNumber()) return Problem(source, key, "must be an array of numbers");
    vector[i] = array[i].GetDouble();
  }
  return vector;
}

Result<Eigen::VectorXd> GetVector(const JsonValue& object, std::string_view key,
                                  std::string_view source) {
  return ToVector(*TRY(Member(object, key, source)), key, source);
}

Result<std::optional<Eigen::VectorXd>> FindVector(const JsonValue& object, std::string_view key,
                                                  std::string_view source) {
  const JsonValue* member = FindMember(object, key);
  if (!member) return std::nullopt;
  return TRY(ToVector(*member, key, source));
}

Result<Eigen::MatrixXd> GetMatrix(const JsonValue& object, std::string_view key,
                                  std::string_view source) {
  const JsonValue& rows = *TRY(Member(object, key, source));
  if (!rows.IsArray() || rows.Empty()) return Problem(source, key, "must be an array of rows");
  Eigen::MatrixXd matrix;
  for (rapidjson::SizeType i = 0; i < rows.Size(); ++i) {
    const Eigen::VectorXd row = TRY(ToVector(rows[i], key, source));
    if (i == 0) matrix.resize(rows.Size(), row.size());
    if (row.size() != matrix.cols()) return Problem(source, key, "has rows of different lengths");
    matrix.row(i) = row;
  }
  return matrix;
}

Result<std::vector<std::string>> GetStrings(const JsonValue& object, std::string_view key,
                                            std::string_view source) {
  return ReadAll<std::string>(
      object, key, source,
      [&](const JsonValue& element, const std::string& place) -> Result<std::string> {
        if (!element.IsString()) return Problem(place, key, "must hold strings");
        return std::string(element.GetString(), element.GetStringLength());
      });
}

template <typename T, typename Get>
Result<std::map<std::string, T>> ReadMap(const JsonValue& object, std::string_view key,
                                         std::string_view source, const Get& get) {
  const JsonValue& members = *TRY(Member(object, key, source));
  if (!members.IsObject()) return Problem(source, key, "must be an object");
  std::map<std::string, T> map;
  for (const auto& member : members.GetObject()) {
    const std::string name(member.name.GetString(), member.name.GetStringLength());
    map[name] = TRY(get(members, name, source));
  }
  return map;
}

Result<InternalCoupling> ReadInternal(const JsonValue& json, const std::string& source) {
  InternalCoupling found;
  found.model = TRY(GetString(json, "model", source));
  found.family = TRY(GetString(json, "family", source));
  found.parameters = 1e9 * TRY(GetDouble(json, "N_B", source));
  found.protocol = TRY(GetString(json, "protocol", source));
  found.protocol_is_inferred = TRY(GetBool(json, "inferred_protocol", source));
  found.net = TRY(GetDouble(json, "net", source));
  found.units = TRY(FindDouble(json, "units", source));
  found.cooperative_fraction = TRY(FindDouble(json, "cooperative_fraction", source));
  found.competing = TRY(FindDouble(json, "competing", source));
  const auto share = TRY(FindDouble(json, "competing_fraction", source));
  if (!found.competing && share && found.units) found.competing = *share * *found.units;
  found.layer_low = TRY(FindDouble(json, "layer_min", source));
  found.layer_high = TRY(FindDouble(json, "layer_max", source));
  found.flaws = TRY(GetStrings(json, "flaws", source));
  found.source = TRY(GetString(json, "source", source));
  return found;
}

Result<ProjectionCosines> ReadCosines(const JsonValue& json, std::string_view key,
                                      const std::string& source) {
  const JsonValue& cosines = *TRY(Member(json, key, source));
  ProjectionCosines found;
  found.hidden = TRY(GetDouble(cosines, "hidden", source));
  found.logits = TRY(GetDouble(cosines, "logits", source));
  found.widened = TRY(GetDouble(cosines, "identity_plus_gelu", source));
  return found;
}

Result<OutputProjection> ReadProjection(const JsonValue& json, const std::string& source) {
  OutputProjection found;
  found.model = TRY(GetString(json, "model", source));
  found.width = static_cast<int>(TRY(GetInt(json, "width", source)));
  found.prompts = static_cast<int>(TRY(GetInt(json, "n_prompts_per_set", source)));
  found.of_means = TRY(ReadCosines(json, "cos_of_means", source));
  found.paired = TRY(ReadCosines(json, "mean_paired_cos", source));
  found.source = TRY(GetString(json, "source", source));
  return found;
}

Result<SteeringCount> ReadSteering(const JsonValue& json, const std::string& source) {
  SteeringCount found;
  found.model = TRY(GetString(json, "model", source));
  found.changed = static_cast<int>(TRY(GetInt(json, "changed", source)));
  found.total = static_cast<int>(TRY(GetInt(json, "total", source)));
  found.decoding = TRY(GetString(json, "decoding", source));
  found.source = TRY(GetString(json, "source", source));
  found.flaws = TRY(GetStrings(json, "flaws", source));
  return found;
}

Result<GradientNorms> ReadGradient(const JsonValue& json, const std::string& source) {
  GradientNorms found;
  found.model = TRY(GetString(json, "model", source));
  found.parameters = TRY(GetDouble(json, "N", source));
  found.loss = TRY(GetDouble(json, "loss", source));
  found.norms = TRY(GetVector(json, "grad_norms", source));
  found.source = TRY(GetString(json, "source", source));
  return found;
}

Result<TypedEigenvalues> ReadEigenvalues(const JsonValue& json, const std::string& source) {
  TypedEigenvalues typed;
  typed.parameters = 1e9 * TRY(GetVector(json, "N_B", source));
  typed.first = TRY(GetVector(json, "lambda1", source));
  typed.second = TRY(GetVector(json, "lambda2", source));
  typed.d_eff = TRY(FindVector(json, "d_eff", source));
  typed.loading = TRY(FindVector(json, "tqa_loading_e2", source));
  typed.source = TRY(GetString(json, "source", source));
  if (typed.first.size() != typed.parameters.size() ||
      typed.second.size() != typed.parameters.size()) {
    return Problem(source, "lambda2", "has another length than N_B");
  }
  return typed;
}

Result<PhaseTransfer> ReadTransfer(const JsonValue& json, std::string_view source) {
  const JsonValue& transfer = *TRY(Member(json, "phase_transfer", source));
  PhaseTransfer found;
  found.tax = TRY(GetMatrix(transfer, "A_tax", source));
  found.bonus = TRY(GetMatrix(transfer, "A_bonus", source));
  found.tax_vectors = TRY(GetMatrix(transfer, "V_tax_typed", source));
  found.bonus_vectors = TRY(GetMatrix(transfer, "V_bonus_typed", source));
  found.stored_error = TRY(GetDouble(transfer, "stored_reconstruction_error", source));
  found.source = TRY(GetString(transfer, "source", source));
  for (const Eigen::MatrixXd* one :
       {&found.tax, &found.bonus, &found.tax_vectors, &found.bonus_vectors}) {
    if (one->rows() != found.tax.rows() || one->cols() != found.tax.rows()) {
      return Problem(source, "phase_transfer", "must hold square matrices of one size");
    }
  }
  return found;
}

Status CheckExplained(const LeverFacts& facts, std::string_view source) {
  for (const InternalCoupling& one : facts.internal) {
    if (!facts.protocols.contains(one.protocol)) {
      return Problem(source, "protocol", fmt::format("\"{}\" is not explained", one.protocol));
    }
    for (const std::string& flaw : one.flaws)
      if (!facts.flaws.contains(flaw))
        return Problem(source, "flaws", fmt::format("\"{}\" is not explained", flaw));
  }
  return {};
}

}  // namespace

Result<LeverFacts> ReadLeverFacts(std::string_view text, std::string_view source) {
  const JsonDocument json = TRY(ParseJson(text, source));
  LeverFacts facts;
  facts.protocols = TRY(ReadMap<std::string>(json, "protocols", source, GetString));
  facts.flaws = TRY(ReadMap<std::string>(json, "flaws", source, GetString));
  facts.internal = TRY(ReadAll<InternalCoupling>(json, "internal", source, ReadInternal));
  facts.projections =
      TRY(ReadAll<OutputProjection>(json, "output_projection", source, ReadProjection));
  facts.steering = TRY(ReadAll<SteeringCount>(json, "steering", source, ReadSteering));
  facts.gradients = TRY(ReadAll<GradientNorms>(json, "gradient", source, ReadGradient));
  facts.eigenvalues = TRY(ReadAll<TypedEigenvalues>(json, "eigen_typed", source, ReadEigenvalues));
  facts.transfer = TRY(ReadTransfer(json, source));
  const JsonValue& rates = *TRY(Member(json, "per_phase_ode_stored", source));
  facts.phase_rates = TRY(ReadMap<double>(rates, "TQA_rate_on_HS", source, GetDouble));
  const JsonValue& line = *TRY(Member(json, "published_line", source));
  facts.line_slope = TRY(GetDouble(line, "slope", source));
  facts.line_intercept = TRY(GetDouble(line, "intercept", source));
  TRY(CheckExplained(facts, source));
  return facts;
}

Result<LeverFacts> ShippedLevers() {
  return ReadLeverFacts(LeverText("levers.json"), "levers.json");
}

const InternalCoupling* FindInternal(const LeverFacts& facts, std::string_view model,
                                     std::string_view protocol) {
  for (const InternalCoupling& one : facts.internal)
    if (one.model == model && one.protocol == protocol && !one.protocol_is_inferred) return &one;
  return nullptr;
}

}  // namespace couplingd
