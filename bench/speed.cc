// The parts of the speed bench that need libtorch: the machine's peak, an evaluation whose
// operators are timed, and a program that does nothing but what every evaluation must.
//
//   couplingd-bench-speed peak [DEVICE]
//   couplingd-bench-speed profile REQUEST.json
//   couplingd-bench-speed plan REQUEST.json
//   couplingd-bench-speed read FILE...
#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/record_function.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/quantiles.h"
#include "probes/benchmark/requests.h"
#include "probes/device/factory.h"
#include "probes/evaluator/evaluation.h"
#include "probes/evaluator/packs.h"
#include "probes/evaluator/settings.h"
#include "probes/model/config.h"
#include "probes/scoring/memory_model.h"
#include "probes/scoring/planner.h"
#include "probes/tokenizer/tokenizer.h"

namespace couplingd {
namespace {

using Steady = std::chrono::steady_clock;

double SecondsSince(Steady::time_point start) {
  return std::chrono::duration<double>(Steady::now() - start).count();
}

// Time on a core: unlike time on the wall, the same on a machine that is busy with other work.
double CpuSeconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// ---- the peak ----

struct Peak {
  double gflops = 0;      // of all threads together, or of the GPU, in the median round
  double cpu_gflops = 0;  // per core second, likewise
  double best_gflops = 0;
};

// In fp32 at 2048³ on the CPU, in bf16 at 8192³ on a GPU. Of many rounds, since a shared machine's
// best moment lasts for a fraction of a second and an evaluation for minutes.
Result<Peak> MeasurePeak(const std::string& device) {
  constexpr int kRounds = 51;
  const bool on_cpu = device == "cpu";
  const Place place = TRY(ChoosePlace({.device = device, .dtype = on_cpu ? "fp32" : "bf16"}));
  const std::int64_t size = on_cpu ? 2048 : 8192;
  const c10::InferenceMode inference;
  const TensorFactory factory(place);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(size * size));
  for (float& value : values) value = normal(random);
  const at::Tensor a = factory.Values(values, {size, size}, factory.dtype());
  const double gflop = 2.0 * static_cast<double>(size * size * size) / 1e9;
  std::vector<double> wall, cpu;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = Steady::now();
    const double cpu_start = CpuSeconds(CLOCK_PROCESS_CPUTIME_ID);
    const at::Tensor product = at::mm(a, a);
    (void)product.select(0, 0).select(0, 0).item<float>();  // waits for a GPU
    wall.push_back(gflop / SecondsSince(start));
    cpu.push_back(gflop / (CpuSeconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start));
  }
  return Peak{Quantile(wall, 0.5), Quantile(cpu, 0.5), std::ranges::max(wall)};
}

// ---- core seconds of every operator, without those it calls, over all threads ----

struct Running : at::ObserverContext {
  double start = 0;
  double inner = 0;
  Running* outer = nullptr;
};

class OperatorTimes {
 public:
  static OperatorTimes& Instance() {  // libtorch's callbacks carry no state
    static OperatorTimes times;
    return times;
  }

  void Watch() {
    at::addGlobalCallback(
        at::RecordFunctionCallback(&Begin, &End).scopes({at::RecordScope::FUNCTION}));
  }

  std::vector<std::pair<std::string, double>> Largest() const {
    std::vector<std::pair<std::string, double>> all(seconds_.begin(), seconds_.end());
    std::ranges::sort(all, [](const auto& a, const auto& b) { return a.second > b.second; });
    return all;
  }

 private:
  static std::unique_ptr<at::ObserverContext> Begin(const at::RecordFunction&) {
    auto running = std::make_unique<Running>();
    running->outer = current_;
    current_ = running.get();
    running->start = CpuSeconds(CLOCK_THREAD_CPUTIME_ID);
    return running;
  }

  static void End(const at::RecordFunction& function, at::ObserverContext* context) {
    auto* running = static_cast<Running*>(context);
    const double seconds = CpuSeconds(CLOCK_THREAD_CPUTIME_ID) - running->start;
    current_ = running->outer;
    if (running->outer != nullptr) running->outer->inner += seconds;
    OperatorTimes& times = Instance();
    const std::lock_guard lock(times.mutex_);
    times.seconds_[function.name()] += seconds - running->inner;
  }

  static inline thread_local Running* current_ = nullptr;
  std::mutex mutex_;
  std::map<std::string, double> seconds_;
};

// ---- FLOPs of the matrix products that cannot be avoided ----

struct Flops {
  std::int64_t per_token = 0;  // the layers' projections
  std::int64_t per_row = 0;    // the logits of one row, and what the last layer does for it alone
};

// What follows the attention.
bool IsAfterAttention(TensorRole role) {
  switch (role) {
    case TensorRole::kAttentionOutput:
    case TensorRole::kGate:
    case TensorRole::kUp:
    case TensorRole::kFusedGateUp:
    case TensorRole::kDown:
      return true;
    default:
      return false;
  }
}

Result<Flops> CountFlops(const EvaluationSettings& settings) {
  const ModelConfig config = TRY(LoadModelConfig(settings.model_config));
  Flops flops{.per_row = 2 * config.vocab_size * config.hidden_size};
  for (const ExpectedTensor& tensor : ExpectedTensors(config)) {
    const bool is_table = tensor.role == TensorRole::kEmbedding ||
                          tensor.role == TensorRole::kPositions || tensor.role == TensorRole::kHead;
    if (!is_table && tensor.shape.size() == 2) {
      const bool is_of_read_rows =
          tensor.layer + 1 == config.layers && IsAfterAttention(tensor.role);
      (is_of_read_rows ? flops.per_row : flops.per_token) += 2 * tensor.shape[0] * tensor.shape[1];
    }
  }
  return flops;
}

// Tells the time on the wall, and remembers the core time at every question: steps ask at their
// ends.
class CoreClock : public Clock {
 public:
  UnixMillis Now() const override { return system_.Now(); }
  std::chrono::steady_clock::time_point Steady() const override {
    const auto now = system_.Steady();
    asked_.emplace_back(now, CpuSeconds(CLOCK_PROCESS_CPUTIME_ID));
    return now;
  }

  // Core seconds of a step of a result frame's "seconds", which lists steps in order.
  double CpuOfStep(const JsonValue& seconds, std::string_view step) const {
    double end = 0;
    for (const auto& [name, value] : seconds.GetObject()) {
      const double begin = end;
      end += value.GetDouble();
      if (name.GetString() == step) return CpuAt(end) - CpuAt(begin);
    }
    return 0;
  }

 private:
  // At the question nearest to `seconds` after the first.
  double CpuAt(double seconds) const {
    const auto distance = [&](const auto& question) {
      const std::chrono::duration<double> at = question.first - asked_.front().first;
      return std::abs(at.count() - seconds);
    };
    return std::ranges::min_element(asked_, {}, distance)->second;
  }

  const SystemClock system_;
  mutable std::vector<std::pair<std::chrono::steady_clock::time_point, double>> asked_;
};

Result<std::string> Profile(const std::string& request_path) {
  const EvaluationSettings settings = TRY(ParseEvaluationSettings(TRY(ReadFile(request_path))));
  const Flops flops = TRY(CountFlops(settings));
  const CoreClock clock;
  OperatorTimes::Instance().Watch();
  const SendFrame ignore = [](std::string_view) -> Status { return {}; };
  const std::string result = TRY(Evaluate(settings, clock, ignore));
  const JsonDocument frame = TRY(ParseJson(result, "the result"));
  JsonWriter json;
  json.BeginObject().Field("threads", static_cast<std::int64_t>(at::get_num_threads()));
  json.Field("flops_per_token", flops.per_token).Field("flops_per_row", flops.per_row);
  json.Field("cpu_seconds", CpuSeconds(CLOCK_PROCESS_CPUTIME_ID));
  json.Field("score_cpu_seconds", clock.CpuOfStep(*FindMember(frame, "seconds"), "score"));
  json.Key("result").Value(frame);
  json.Key("operators").BeginObject();
  for (const auto& [name, seconds] : OperatorTimes::Instance().Largest()) json.Field(name, seconds);
  return json.EndObject().EndObject().Text();
}

// ---- what would be forwarded ----

Result<std::string> Plan(const std::string& request_path) {
  const EvaluationSettings settings = TRY(ParseEvaluationSettings(TRY(ReadFile(request_path))));
  const ModelConfig config = TRY(LoadModelConfig(settings.model_config));
  const auto start = Steady::now();
  const auto tokenizer = TRY(LoadTokenizer(settings.tokenizer));
  const EncodeOptions options{.bos = settings.bos_mode,
                              .max_length = static_cast<std::size_t>(config.max_positions)};
  std::vector<ScoringRequest> requests;
  for (const Pack& pack : TRY(OpenAllPacks(settings.packs))) {
    for (EncodedRequest& request : TRY(EncodeRequests(pack, *tokenizer, options))) {
      requests.push_back({std::move(request.tokens), static_cast<int>(request.scored_from)});
    }
  }
  const double encode_seconds = SecondsSince(start);
  const ScoringPlan plan = TRY(PlanScoring(requests, settings.token_budget));
  std::int64_t pairs = 0, rows = 0, last = -1;
  for (const Segment& segment : plan.forward.segments) {
    const std::int64_t first = segment.position + 1;
    const std::int64_t end = first + segment.end - segment.begin;
    pairs += (first + end - 1) * (end - first) / 2;
  }
  for (const TokenRead& read : plan.forward.reads) {
    rows += read.row != last ? 1 : 0;
    last = read.row;
  }
  const MemoryEstimate memory = EstimateMemory(config, plan.forward, {});
  JsonWriter json;
  json.BeginObject().Field("requests", static_cast<std::int64_t>(requests.size()));
  json.Field("naive", plan.naive_tokens);
  json.Field("trie", static_cast<std::int64_t>(plan.forward.tokens.size()));
  json.Field("rows", rows).Field("attention_pairs", pairs);
  json.Field("packs", static_cast<std::int64_t>(plan.forward.packs.size()));
  json.Field("kept_bytes", memory.kept).Field("encode_seconds", encode_seconds);
  json.Field("plan_seconds", SecondsSince(start) - encode_seconds);
  return json.EndObject().Text();
}

// ---- the least that can be done ----

Status Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> buffer(std::size_t{8} << 20);
  while (file.read(buffer.data(), std::ssize(buffer)) || file.gcount() > 0) {
  }
  if (file.eof()) return {};
  return Fail(ErrorKind::kNotFound, fmt::format("{} cannot be read", path));
}

Status Run(std::string_view command, const std::vector<std::string>& arguments) {
  if (command == "peak" && arguments.size() <= 1) {
    const Peak peak = TRY(MeasurePeak(arguments.empty() ? "cpu" : arguments[0]));
    fmt::print(
        "{{\"gflops\":{:.2f},\"cpu_gflops\":{:.2f},\"best_gflops\":{:.2f},\"threads\":{}}}\n",
        peak.gflops, peak.cpu_gflops, peak.best_gflops, at::get_num_threads());
    return {};
  }
  if (command == "profile" && arguments.size() == 1) {
    fmt::print("{}\n", TRY(Profile(arguments[0])));
    return {};
  }
  if (command == "plan" && arguments.size() == 1) {
    fmt::print("{}\n", TRY(Plan(arguments[0])));
    return {};
  }
  if (command == "read") {
    for (const std::string& path : arguments) TRY(Read(path));
    return {};
  }
  return Fail(
      ErrorKind::kUsage,
      "usage: couplingd-bench-speed peak [DEVICE] | profile REQUEST | plan REQUEST | read FILE…");
}

}  // namespace
}  // namespace couplingd

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + std::min(count, 2), values + count);
  const couplingd::Status status = couplingd::Run(count > 1 ? values[1] : "", arguments);
  if (status) return 0;
  fmt::print(stderr, "couplingd-bench-speed: {}\n", status.error().Text());
  return couplingd::ExitCode(status.error().kind);
}
