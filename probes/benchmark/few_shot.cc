#include "probes/benchmark/few_shot.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/python_random.h"

namespace couplingd {
namespace {

constexpr std::string_view kShotEnd = "\n\n";

class ShotPicker {
 public:
  ShotPicker(const Rows& pool, ShotDraw draw, const ShotRequest& request)
      : pool_(pool), draw_(draw), request_(request), n_(static_cast<std::uint32_t>(request.n)) {}

  Result<std::vector<std::uint32_t>> For(const BenchmarkRow& row) {
    return draw_ == ShotDraw::kPlain ? Drawn(n_) : WithoutItself(row);
  }

 private:
  std::unexpected<Error> TooFew(std::size_t needed) const {
    return BadItem(
        fmt::format("{}", fmt::join(request_.from, ", ")),
        fmt::format("{} rows are needed for {} shots, {} are there", needed, n_, pool_.size()));
  }

  Result<std::vector<std::uint32_t>> Drawn(std::uint32_t n) {
    if (pool_.size() < n) return TooFew(n);
    return random_.Sample(static_cast<std::uint32_t>(pool_.size()), n);
  }

  // One more is drawn, in case the row itself is among them. Where it was drawn more than once,
  // the draw is repeated without it.
  Result<std::vector<std::uint32_t>> WithoutItself(const BenchmarkRow& row) {
    const auto is_row = [&](std::uint32_t i) { return pool_[i].identity == row.identity; };
    std::vector<std::uint32_t> picked = TRY(Drawn(n_ + 1));
    std::erase_if(picked, is_row);
    picked.resize(std::min<std::size_t>(picked.size(), n_));
    if (picked.size() == n_) return picked;
    std::vector<std::uint32_t> others;
    for (std::uint32_t i = 0; i < pool_.size(); ++i) {
      if (!is_row(i)) others.push_back(i);
    }
    if (others.size() < n_) return TooFew(n_ + pool_.size() - others.size());
    picked = random_.Sample(static_cast<std::uint32_t>(others.size()), n_);
    for (std::uint32_t& i : picked) i = others[i];
    return picked;
  }

  const Rows& pool_;
  const ShotDraw draw_;
  const ShotRequest& request_;
  const std::uint32_t n_;
  PythonRandom random_{kShotSeed};
};

}  // namespace

// Where the contexts differ, an empty answer stands for none: lm-eval then ends no turn either.
std::string ShotText(const Pack& pack, const PackItem& item) {
  const auto gold =
      static_cast<std::size_t>(std::ranges::find(item.labels, true) - item.labels.begin());
  if (item.contexts.size() > 1 && item.choices[gold].empty()) return item.ContextOf(gold);
  return fmt::format("{}{}{}", item.ContextOf(gold), pack.Continuation(item, gold), kShotEnd);
}

Status AddShots(const Rows& rows, const Rows& pool, ShotDraw draw, const ShotRequest& request,
                Pack& pack) {
  pack.fewshot.n = request.n;
  pack.fewshot.preset = request.preset;
  if (request.n == 0) return {};
  pack.fewshot.seed = kShotSeed;
  std::vector<std::string> texts;
  for (const BenchmarkRow& row : pool) texts.push_back(ShotText(pack, row.item));
  ShotPicker picker(pool, draw, request);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::string shots;
    for (const std::uint32_t picked : TRY(picker.For(rows[i]))) shots += texts[picked];
    for (std::string& context : pack.items[i].contexts) context.insert(0, shots);
  }
  return {};
}

std::string RowIdentity(const JsonValue& row, std::span<const std::string_view> keys) {
  JsonWriter json;
  json.BeginArray();
  for (const std::string_view key : keys) {
    const JsonValue* value = FindMember(row, key);
    value ? json.Value(*value) : json.Null();
  }
  return json.EndArray().Text();
}

}  // namespace couplingd
