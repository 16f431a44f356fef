#include "tests/history/fixture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <filesystem>
#include <fstream>
#include <limits>

namespace couplingd {
namespace {

std::string Text(double value) {
  return fmt::format("{:016x}", std::bit_cast<std::uint64_t>(value));
}
std::string Text(std::int64_t value) { return fmt::format("{}", value); }
std::string Text(int value) { return fmt::format("{}", value); }
std::string Text(bool value) { return value ? "yes" : "no"; }
std::string Text(const std::string& value) { return fmt::format("\"{}\"", value); }
std::string Text(std::string_view value) { return std::string(value); }
template <typename T>
std::string Text(const std::optional<T>& value) {
  return value ? Text(*value) : "none";
}

template <typename... T>
std::string Join(const T&... fields) {
  std::string joined;
  ((joined += Text(fields) + "|"), ...);
  return joined;
}

bool WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  return file.good();
}

// As root a mount namespace is enough; others first become root of a user namespace.
bool EnterMountNamespace() {
  if (::unshare(CLONE_NEWNS) == 0) return true;
  const std::string uid = std::to_string(::getuid()), gid = std::to_string(::getgid());
  return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && WriteText("/proc/self/setgroups", "deny") &&
         WriteText("/proc/self/uid_map", "0 " + uid + " 1") &&
         WriteText("/proc/self/gid_map", "0 " + gid + " 1");
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string path = testing::TempDir() + "/couplingd-history-XXXXXX";
  if (::mkdtemp(path.data()) != nullptr) path_ = path;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

std::unique_ptr<HistoryWriter> HistoryTest::OpenWriter() {
  return Must(HistoryWriter::Open(Directory(), clock_));
}

std::unique_ptr<HistoryReader> HistoryTest::OpenReader() const {
  return Must(HistoryReader::Open(Database()));
}

Run ExampleRun(const std::string& name) {
  return {.name = name,
          .family = "pythia",
          .path = "/runs/" + name,
          .parameters = 70'426'624.0,
          .d_model = 512,
          .tokens_per_step = 2'097'152.0,
          .generation = 1};
}

Checkpoint ExampleCheckpoint(std::int64_t run_id, std::int64_t step) {
  return {.run_id = run_id,
          .generation = 1,
          .step = step,
          .tokens = static_cast<double>(step) * 2'097'152.0,
          .path = fmt::format("/runs/{}/step{}", run_id, step),
          .signature = "signature",
          .state = CheckpointState::kQueued,
          .written_at = kStart - 1,
          .discovered_at = kStart,
          .updated_at = kStart};
}

Evaluation ExampleEvaluation(std::int64_t checkpoint_id) {
  return {.checkpoint_id = checkpoint_id,
          .key = "key",
          .series_key = "series",
          .pack = "truthfulqa",
          .pack_hash = "pack hash",
          .harness = "couplingd:1",
          .device = "cpu",
          .dtype = "fp32",
          .plan_hash = "plan hash",
          .scores_hash = "scores hash",
          .started_at = kStart,
          .finished_at = kStart + 1000,
          .scores = {{"truthfulqa_mc1", "acc", 0.25, 0.015, 817},
                     {"truthfulqa_mc2", "acc", 0.1 + 0.2, 0.013, 817}}};
}

CouplingEstimate ExampleCoupling() {
  return {.family = "pythia",
          .run = "pythia-70m",
          .generation = 1,
          .axes = "hellaswag.acc_norm,truthfulqa_mc2.acc",
          .over = CouplingOver::kSteps,
          .at = 143000,
          .tokens = 299.9e9,
          .gamma = -0.3,
          .low = -std::numeric_limits<double>::infinity(),
          .high = std::nextafter(-0.1, -1.0),
          .level = 0.95,
          .phase = Phase::kTax,
          .p_tax = 0.99,
          .p_bonus = 0.0,
          .evidence = PhaseEvidence{1e-12, 3.25e-7, 1, 1e-9, 0.75},
          .method = "york+item-bootstrap",
          .n = 8,
          .reason = ""};
}

Forecast ExampleForecast() {
  return {.family = "pythia",
          .run = "",
          .axes = "hellaswag.acc_norm,truthfulqa_mc2.acc",
          .quantity = "N_c",
          .method = "u-shape",
          .value = 3.1e9,
          .low = 1.2e9,
          .high = std::numeric_limits<double>::infinity(),
          .level = 0.95,
          .low80 = 2.2e9,
          .high80 = 1.9e10,
          .p_crossing = 0.87,
          .p_passed = 0.81,
          .observed = 1.2e10,
          .horizon_low = 7e7,
          .horizon_high = 1.2e11,
          .n = 8,
          .reason = "the upper bound lies beyond the horizon"};
}

Alert ExampleAlert(const std::string& key, std::int64_t sequence, AlertState state) {
  Finding finding{.rule = "tax",
                  .kind = "phase",
                  .run = "pythia-70m",
                  .subject = "hellaswag.acc_norm,truthfulqa_mc2.acc",
                  .active = state == AlertState::kFiring,
                  .severity = Severity::kCritical,
                  .summary = "truthfulness falls as reasoning rises",
                  .description = "γ = −0.30 [−0.41, −0.19], n = 8",
                  .labels = {{"team", "pre-training"}, {"zone", "\"quoted\" \n line"}},
                  .interventions = {{"curate", "Curate the data.", "the interval is below −0.1"},
                                    {"widen", "Widen the model.", "N_c = 3.1B"}}};
  return {.key = key,
          .sequence = sequence,
          .state = state,
          .starts_at = kStart,
          .ends_at = state == AlertState::kResolved ? kStart + 5 : 0,
          .finding = finding,
          .is_test = false};
}

std::string Describe(const Run& r) {
  return Join(r.id, r.name, r.family, r.path, r.parameters, r.d_model, r.tokens_per_step,
              r.generation);
}
std::string Describe(const Checkpoint& c) {
  return Join(c.id, c.run_id, c.generation, c.step, c.tokens, c.parameters, c.path, c.signature,
              c.weights_hash, ToString(c.state), c.reason, c.attempts, c.written_at,
              c.discovered_at, c.updated_at);
}
std::string Describe(const Score& s) {
  return Join(s.task, s.metric, s.value, s.stderr_value, s.n);
}
std::string Describe(const Evaluation& e) {
  std::string text =
      Join(e.id, e.checkpoint_id, e.key, e.series_key, e.pack, e.pack_hash, e.harness, e.device,
           e.dtype, e.plan_hash, e.scores_hash, e.started_at, e.finished_at);
  for (const Score& score : e.scores) text += "\n" + Describe(score);
  return text;
}
std::string Describe(const CouplingEstimate& c) {
  const PhaseEvidence p = c.evidence.value_or(PhaseEvidence{-1, -1, -1, -1, -1});
  return Join(c.family, c.run, c.generation, c.axes, ToString(c.over), c.at, c.tokens, c.gamma,
              c.low, c.high, c.level, ToString(c.phase), c.p_tax, c.p_bonus, c.method, c.n,
              c.reason, p.reasoning_rises, p.below_tax, p.above_tax, p.below_bonus, p.above_bonus);
}
std::string Describe(const Forecast& f) {
  return Join(f.family, f.run, f.axes, f.quantity, f.method, f.value, f.low, f.high, f.level,
              f.low80, f.high80, f.p_crossing, f.p_passed, f.observed, f.horizon_low,
              f.horizon_high, f.n, f.reason);
}
std::string Describe(const Alert& a) {
  const Finding& f = a.finding;
  std::string text =
      Join(a.key, a.sequence, ToString(a.state), a.starts_at, a.ends_at, a.is_test, f.rule, f.kind,
           f.run, f.subject, f.active, ToString(f.severity), f.summary, f.description);
  for (const auto& [name, value] : f.labels) text += "\n" + Join(name, value);
  for (const Intervention& i : f.interventions) text += "\n" + Join(i.kind, i.action, i.reason);
  return text;
}

std::string InChild(const std::function<std::string()>& body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child < 0) return "no fork";
  if (child == 0) {
    const std::string text = body();
    const bool written =
        ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text;
  char block[4096];
  for (ssize_t got; (got = ::read(ends[0], block, sizeof block)) > 0;) {
    text.append(block, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return fmt::format("killed by signal {}", WTERMSIG(status));
  return text;
}

std::string InChildWithFileSystem(const std::string& directory, std::int64_t bytes,
                                  const std::function<std::string()>& body) {
  return InChild([&]() -> std::string {
    const std::string options = fmt::format("size={},mode=0700", bytes);
    if (!EnterMountNamespace() ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", directory.c_str(), "tmpfs", 0, options.c_str()) != 0) {
      return std::string(kNoMount);
    }
    return body();
  });
}

bool MakeReadOnly(const std::string& directory) {
  return ::mount("none", directory.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0;
}

}  // namespace couplingd
