#include "probes/evaluator/preparation.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "probes/evaluator/packs.h"
#include "probes/model/rotary.h"
#include "probes/scoring/plan_cache.h"

namespace couplingd {
namespace {

constexpr int kSmallestBudget = 256;  // below it weights are read more than they are used

// Other code may encode and plan otherwise: the file that holds this, by size and time. Empty where
// that cannot be told.
std::string CodeStamp() {
  static const int here = 0;
  Dl_info info{};
  struct stat status {};
  if (::dladdr(&here, &info) == 0 || ::stat(info.dli_fname, &status) != 0) return "";
  return fmt::format("{} {}.{}", status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

std::size_t CountChoices(const Pack& pack) {
  std::size_t choices = 0;
  for (const PackItem& item : pack.items) choices += item.choices.size();
  return choices;
}

}  // namespace

Status Preparation::OpenPacks() {
  asked_.packs = TRY(session_.FromOutside("", OpenAllPacks(settings_.packs)));
  if (settings_.budget) items_ = settings_.budget->items;
  if (items_) {
    for (Pack& pack : asked_.packs) {
      KeepItems(pack, *items_, settings_.seed);
      if (!pack.items.empty()) continue;
      return Fail(ErrorKind::kUsage,
                  fmt::format("of {} no item is left: its items come in twos, and {} of a pack are "
                              "asked",
                              pack.name, FormatItemBudget(*settings_.budget)),
                  "raise evaluation.budget");
    }
  }
  HashPacks();
  session_.EndStep("open");
  return {};
}

void Preparation::HashPacks() {
  pack_hashes_.clear();
  for (const Pack& pack : asked_.packs) pack_hashes_.push_back(PackHash(pack));
}

Status Preparation::MakePlan() {
  planning_.longest_short = LongestShortText(session_.config());
  TRY(PlanWithin(session_.TokenBudget()));
  TRY(FitIntoMemory());
  TRY(NoteTruncation());
  if (!IsTimeLimited()) std::vector<ScoringRequest>().swap(asked_.requests);
  session_.EndStep("plan");
  return {};
}

Status Preparation::PlanWithin(int token_budget) {
  planning_.token_budget = token_budget;
  // A budget of time needs the sequences themselves.
  const std::string key = IsTimeLimited() ? "" : CacheKey();
  if (!key.empty() && TakeKept(key)) return {};
  TRY(Encode());
  plan_ = TRY(PlanScoring(asked_.requests, planning_.token_budget, planning_.longest_short));
  if (!key.empty()) PlanCache(settings_.scores_dir, key).Write(plan_, truncated_);
  return {};
}

std::string Preparation::CacheKey() const {
  const std::string code = CodeStamp();
  if (code.empty()) return "";
  const EncodeOptions encoding = session_.Encoding();
  JsonWriter json;
  json.BeginObject().Field("code", code).Field("tokenizer", session_.tokenizer().hash());
  json.Field("bos", static_cast<std::int64_t>(encoding.bos));
  json.Field("max_length", static_cast<std::int64_t>(encoding.max_length));
  json.Key("prefix_token");
  encoding.prefix_token ? json.Value(static_cast<std::int64_t>(*encoding.prefix_token))
                        : json.Null();
  json.Field("token_budget", static_cast<std::int64_t>(planning_.token_budget));
  json.Field("longest_short", planning_.longest_short);
  json.Key("packs").BeginArray();
  for (const std::string& hash : pack_hashes_) json.Value(hash);
  return HashHex(json.EndArray().EndObject().Text());
}

bool Preparation::TakeKept(const std::string& key) {
  std::size_t requests = 0;
  for (const Pack& pack : asked_.packs) requests += CountChoices(pack);
  const PlanBounds bounds{.vocab_size = session_.config().vocab_size,
                          .max_positions = session_.config().max_positions,
                          .token_budget = planning_.token_budget};
  std::optional<KeptPlan> kept =
      PlanCache(settings_.scores_dir, key).Read(bounds, asked_.packs.size(), requests);
  if (!kept) return false;
  plan_ = std::move(kept->plan);
  truncated_ = std::move(kept->truncated);
  asked_.plans.clear();
  std::size_t request = 0;
  for (const Pack& pack : asked_.packs) {
    TaskPlan& plan = asked_.plans.emplace_back(couplingd::MakePlan(pack, {}));
    for (ItemInfo& item : plan.items) {
      for (ChoiceInfo& choice : item.choices) {
        choice.tokens =
            static_cast<std::uint32_t>(plan_.first_read[request + 1] - plan_.first_read[request]);
        ++request;
      }
    }
  }
  return true;
}

Status Preparation::Encode() {
  if (std::exchange(is_encoded_, true)) return {};
  const EncodeOptions options = session_.Encoding();
  asked_.plans.clear();
  truncated_.clear();
  for (const Pack& pack : asked_.packs) {
    std::vector<EncodedRequest> encoded = TRY(EncodeRequests(pack, session_.tokenizer(), options));
    asked_.plans.push_back(couplingd::MakePlan(pack, encoded));
    std::int64_t& truncated = truncated_.emplace_back(0);
    for (EncodedRequest& request : encoded) {
      TRY(CheckVocabulary(request, pack));
      truncated += request.truncated ? 1 : 0;
      asked_.requests.push_back({std::move(request.tokens), static_cast<int>(request.scored_from)});
    }
  }
  session_.EndStep("encode");
  return {};
}

Status Preparation::CheckVocabulary(const EncodedRequest& request, const Pack& pack) const {
  for (const TokenId token : request.tokens) {
    if (token >= 0 && token < session_.config().vocab_size) continue;
    return Fail(ErrorKind::kInvalidData,
                fmt::format("the tokenizer in {} does not fit the model: it gives token id {} "
                            "(item \"{}\" of {}), and the vocabulary has {}",
                            settings_.tokenizer, token, pack.items[request.item].id, pack.name,
                            session_.config().vocab_size),
                "name the tokenizer that the model was trained with");
  }
  return {};
}

Status Preparation::NoteTruncation() const {
  for (std::size_t i = 0; i < asked_.packs.size(); ++i) {
    if (truncated_[i] == 0) continue;
    TRY(session_.Note(
        "truncation",
        fmt::format("{}: {} of {} sequences are longer than the model's {} positions; what stands "
                    "first in them was cut off",
                    asked_.packs[i].name, truncated_[i], CountChoices(asked_.packs[i]),
                    session_.config().max_positions)));
  }
  return {};
}

Status Preparation::FitIntoMemory() {
  memory_ = EstimateMemory(session_.config(), plan_.forward, session_.MemoryOf());
  const std::optional<std::int64_t> cap = session_.MemoryCap();
  if (!cap) return {};
  const int wanted = planning_.token_budget;
  while (memory_.Peak() > *cap && planning_.token_budget / 2 >= kSmallestBudget) {
    TRY(PlanWithin(planning_.token_budget / 2));
    memory_ = EstimateMemory(session_.config(), plan_.forward, session_.MemoryOf());
  }
  if (memory_.Peak() > *cap) {
    return Fail(ErrorKind::kExhausted,
                fmt::format("there is not enough memory: of {} MiB it would take {}", *cap >> 20,
                            memory_.Text()),
                "raise evaluation.memory_limit, free memory, or compute in bf16 on a GPU",
                /*retryable=*/true);
  }
  if (planning_.token_budget == wanted) return {};
  return session_.Note("memory",
                       fmt::format("{} tokens are forwarded at once instead of {}, to fit into {} "
                                   "MiB: {}",
                                   planning_.token_budget, wanted, *cap >> 20, memory_.Text()));
}

Status Preparation::KeepWithinTime() {
  if (!IsTimeLimited()) return {};
  constexpr int kShareOfMeasuring = 20;
  constexpr double kMargin = 0.9;  // recording, and packs that are not full, take some of it
  const std::chrono::milliseconds budget = *settings_.budget->time;
  const CostModel cost(session_.config());
  const int least_tokens = kSmallestBudget * session_.MemoryOf().threads;
  const double speed = TRY(MeasureSpeed(session_.decoder(), asked_, settings_.seed, planning_,
                                        least_tokens, cost, clock_, budget / kShareOfMeasuring));
  const double left = std::chrono::duration<double>(budget).count() - session_.Seconds();
  const std::int64_t largest = asked_.LargestPack();
  const std::int64_t items = TRY(
      ItemsWithin(std::max(0.0, kMargin * left * speed), asked_, settings_.seed, planning_, cost));
  if (items < largest) {
    items_ = items;
    asked_ = Limited(asked_, items, settings_.seed);
    HashPacks();
    TRY(PlanWithin(planning_.token_budget));
  }
  const double needed = cost.Of(plan_.forward) / speed;
  TRY(session_.Note(
      "budget",
      fmt::format("{} of the {} items of the largest pack {} {}: {:.3g} TFLOP at {:.3g} TFLOP/s "
                  "take {:.1f} s",
                  items, largest, needed > left ? "are asked, more than fit into" : "fit into",
                  FormatItemBudget(*settings_.budget), cost.Of(plan_.forward) / 1e12, speed / 1e12,
                  needed)));
  session_.EndStep("budget");
  return {};
}

}  // namespace couplingd
