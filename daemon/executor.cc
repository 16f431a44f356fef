#include "daemon/executor.h"

#include <fmt/format.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/process.h"
#include "daemon/line_process.h"
#include "daemon/warm_pool.h"

namespace couplingd {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kInspectTimeout{120};
constexpr std::chrono::seconds kGraceOfWorker{
    60};  // beyond the request's own timeout, which the worker keeps itself

// An evaluation from its start until its result was handed over.
struct Execution {
  explicit Execution(const Clock& clock) : frames(clock) {}

  std::string request;  // as it was sent
  WorkerFrames frames;
  std::weak_ptr<LineProcess> process;
  bool is_cancelled = false;
  std::optional<Result<WorkerResult>> result;
  std::function<void(Result<WorkerResult>)> done;  // empty: nobody is served that asked for it
};

class LocalExecutor final : public Executor {
 public:
  LocalExecutor(std::vector<std::string> probe, const Clock& clock,
                std::chrono::milliseconds keep_warm)
      : probe_(std::move(probe)),
        clock_(clock),
        work_(asio::make_work_guard(io_)),
        warm_(
            io_, [this] { return Launch({"serve"}); }, keep_warm),
        thread_([this] { io_.run(); }) {}

  ~LocalExecutor() override {
    io_.stop();
    thread_.join();
  }

  void Serve(asio::io_context& io) override {
    const std::lock_guard lock(mutex_);
    served_ = &io;
  }

  void Leave() override {
    const std::lock_guard lock(mutex_);
    served_ = nullptr;
    ++service_;
    for (auto& [tag, evaluation] : evaluations_) evaluation->done = nullptr;
  }

  void Inspect(const std::string& directory, const std::string& layout,
               std::function<void(Result<InspectAnswer>)> done) override {
    std::vector<std::string> arguments = {"inspect", directory};
    if (layout != "auto") arguments.insert(arguments.end(), {"--layout", layout});
    auto answer = std::make_shared<std::string>();
    const auto tell = [this, service = Service(), done](Result<InspectAnswer> result) {
      const std::lock_guard lock(mutex_);
      if (served_ && service == service_)
        asio::post(*served_, [done, result = std::move(result)] { done(result); });
    };
    asio::post(io_, [this, arguments, directory, answer, tell] {
      Start(
          arguments, "", kInspectTimeout, [answer](std::string_view line) { answer->append(line); },
          [answer, directory, tell](const Result<ExitStatus>& exit, const std::string& error_text) {
            tell(exit && exit->ok() ? ParseInspectAnswer(*answer)
                                    : InspectFailure(directory, exit, error_text));
          },
          [tell](Error error) { tell(std::unexpected(std::move(error))); });
    });
  }

  void Evaluate(std::int64_t tag, const WorkerRequest& request,
                std::function<void(Result<WorkerResult>)> done) override {
    auto evaluation = std::make_shared<Execution>(clock_);
    evaluation->request = ToJson(request);
    evaluation->done = std::move(done);
    {
      const std::lock_guard lock(mutex_);
      evaluations_[tag] = evaluation;
    }
    const auto timeout = request.evaluation.timeout + kGraceOfWorker;
    const std::string kind = request.evaluation.warm_worker ? WarmPool::KindOf(request) : "";
    asio::post(io_, [this, tag, evaluation, timeout, kind] {
      if (!kind.empty()) return StartWarm(tag, evaluation, timeout, kind);
      const auto process = StartCold(tag, evaluation, timeout);
      if (process && !WorksOn(*evaluation, process)) process->Stop();
    });
  }

  Adoption Adopt(std::int64_t tag, const WorkerRequest& request,
                 std::function<void(Result<WorkerResult>)> done) override {
    const std::lock_guard lock(mutex_);
    const auto found = evaluations_.find(tag);
    if (found == evaluations_.end() || found->second->is_cancelled) return Adoption::kUnknown;
    Execution& evaluation = *found->second;
    if (evaluation.request != ToJson(request)) {
      StopProcess(found->second);
      evaluations_.erase(found);
      return Adoption::kStopped;
    }
    evaluation.done = std::move(done);
    if (evaluation.result) HandOver(tag);
    return Adoption::kTaken;
  }

  void Cancel(std::int64_t tag) override {
    const std::lock_guard lock(mutex_);
    const auto found = evaluations_.find(tag);
    if (found != evaluations_.end()) StopProcess(found->second);
  }

  EvaluationProgress Progress(std::int64_t tag) const override {
    const std::lock_guard lock(mutex_);
    const auto found = evaluations_.find(tag);
    if (found == evaluations_.end()) return {};
    return {found->second->frames.progress(), found->second->frames.Left()};
  }

  std::size_t running() const override {
    const std::lock_guard lock(mutex_);
    return evaluations_.size();
  }

 private:
  static std::unexpected<Error> InspectFailure(const std::string& directory,
                                               const Result<ExitStatus>& exit,
                                               const std::string& error_text) {
    if (!exit) return std::unexpected(exit.error());
    std::string text = error_text.substr(0, error_text.find('\n'));
    if (text.empty()) text = fmt::format("couplingd-probe inspect {}: {}", directory, exit->Text());
    return Fail(ErrorKind::kInvalidData, text, "", exit->signal != 0);
  }

  std::uint64_t Service() const {
    const std::lock_guard lock(mutex_);
    return service_;
  }

  // On the executor's thread, as all that follows from them. Empty where the program cannot start,
  // which the evaluation, or `on_failure`, hears of.

  std::shared_ptr<LineProcess> StartCold(std::int64_t tag,
                                         const std::shared_ptr<Execution>& evaluation,
                                         std::chrono::milliseconds timeout) {
    warm_.EndIdle();
    return Start(
        {"evaluate"}, evaluation->request, timeout,
        [this, evaluation](std::string_view line) { Take(*evaluation, line); },
        [this, tag, evaluation](const Result<ExitStatus>&, const std::string&) {
          Ended(tag, evaluation, evaluation->frames.Finish());
        },
        [this, tag, evaluation](Error error) {
          Ended(tag, evaluation, std::unexpected(std::move(error)));
        });
  }

  void StartWarm(std::int64_t tag, const std::shared_ptr<Execution>& evaluation,
                 std::chrono::milliseconds timeout, const std::string& kind) {
    const Status started = warm_.Evaluate(
        {.kind = kind,
         .text = evaluation->request,
         .timeout = timeout,
         .on_process = [this,
                        evaluation](const auto& process) { return WorksOn(*evaluation, process); },
         .on_line = [this, evaluation](std::string_view line) { Take(*evaluation, line); },
         .on_end = [this, tag,
                    evaluation] { Ended(tag, evaluation, evaluation->frames.Finish()); }});
    if (!started) Ended(tag, evaluation, std::unexpected(started.error()));
  }

  // False: nobody wants the evaluation any more.
  bool WorksOn(Execution& evaluation, const std::shared_ptr<LineProcess>& process) {
    const std::lock_guard lock(mutex_);
    evaluation.process = process;
    return !evaluation.is_cancelled;
  }

  void Take(Execution& evaluation, std::string_view line) {
    const std::lock_guard lock(mutex_);
    evaluation.frames.Take(line);
  }

  Result<std::shared_ptr<LineProcess>> Launch(const std::vector<std::string>& arguments) {
    ProcessOptions options;
    options.arguments = probe_;
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    options.environment = MinimalEnvironment();
    options.pipe_stdin = options.pipe_stdout = options.pipe_stderr = true;
    return std::make_shared<LineProcess>(io_, TRY(Process::Start(options)));
  }

  std::shared_ptr<LineProcess> Start(
      const std::vector<std::string>& arguments, std::string input,
      std::chrono::milliseconds timeout, std::function<void(std::string_view)> on_line,
      std::function<void(Result<ExitStatus>, const std::string&)> on_end,
      const std::function<void(Error)>& on_failure) {
    const Result<std::shared_ptr<LineProcess>> launched = Launch(arguments);
    if (!launched) {
      on_failure(launched.error());
      return nullptr;
    }
    const std::shared_ptr<LineProcess>& process = *launched;
    process->on_line = std::move(on_line);
    process->on_end = std::move(on_end);
    process->Run();
    process->Send(std::move(input));
    process->CloseInput();
    process->KillAfter(timeout);
    return process;
  }

  void Ended(std::int64_t tag, const std::shared_ptr<Execution>& evaluation,
             Result<WorkerResult> result) {
    const std::lock_guard lock(mutex_);
    if (!result && evaluation->is_cancelled)
      result = Fail(ErrorKind::kCancelled, "the evaluation was stopped", "", true);
    evaluation->result = std::move(result);
    evaluation->process.reset();  // it may work for another by now
    const auto current = evaluations_.find(tag);
    if (current != evaluations_.end() && current->second == evaluation && evaluation->done)
      HandOver(tag);
  }

  // REQUIRES: mutex_ is held. The result stays here until the served thread takes it: a service
  // that ends in between leaves it to the next.
  void HandOver(std::int64_t tag) {
    if (!served_) return;
    asio::post(*served_, [this, tag, service = service_] {
      std::unique_lock lock(mutex_);
      const auto found = evaluations_.find(tag);
      if (service != service_ || found == evaluations_.end() || !found->second->result) return;
      const std::shared_ptr<Execution> evaluation = found->second;
      evaluations_.erase(found);
      lock.unlock();
      evaluation->done(*std::move(evaluation->result));
    });
  }

  // REQUIRES: mutex_ is held.
  void StopProcess(const std::shared_ptr<Execution>& evaluation) {
    evaluation->is_cancelled = true;
    asio::post(io_, [evaluation] {
      if (const auto process = evaluation->process.lock()) process->Stop();
    });
  }

  const std::vector<std::string> probe_;
  const Clock& clock_;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  WarmPool warm_;  // of the executor's thread

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  asio::io_context* served_ = nullptr;
  std::uint64_t service_ = 0;                                       // counts those that left
  std::map<std::int64_t, std::shared_ptr<Execution>> evaluations_;  // by tag

  std::thread thread_;
};

}  // namespace

std::unique_ptr<Executor> MakeLocalExecutor(std::vector<std::string> probe, const Clock& clock,
                                            std::chrono::milliseconds keep_warm) {
  return std::make_unique<LocalExecutor>(std::move(probe), clock, keep_warm);
}

}  // namespace couplingd
