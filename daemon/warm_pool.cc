#include "daemon/warm_pool.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace couplingd {
namespace {

bool IsExitFrame(std::string_view line) {
  const Result<JsonDocument> frame = ParseJson(line, "frame");
  if (!frame) return false;
  const Result<std::string> kind = GetString(*frame, "frame", "frame");
  return kind && *kind == "exit";
}

}  // namespace

std::string WarmPool::KindOf(const WorkerRequest& request) {
  WorkerRequest kind = request;
  std::erase(kind.read_roots, kind.checkpoint);
  kind.checkpoint.clear();
  return ToJson(kind);
}

Status WarmPool::Evaluate(Job job) {
  auto owned = std::make_unique<Job>(std::move(job));
  Handle worker = std::ranges::find_if(
      workers_, [&](const Worker& one) { return !one.job && one.kind == owned->kind; });
  if (worker == workers_.end()) {
    EndIdle();
    worker = TRY(Launch(owned->kind));
  }
  Give(worker, std::move(owned));
  return {};
}

WarmPool::Handle WarmPool::Find(const LineProcess* process) {
  return std::ranges::find_if(
      workers_, [&](const Worker& worker) { return worker.process.get() == process; });
}

void WarmPool::EndIdle() {
  for (auto worker = workers_.begin(); worker != workers_.end();) {
    const Handle one = worker++;
    if (!one->job) Retire(one);
  }
}

Result<WarmPool::Handle> WarmPool::Launch(const std::string& kind) {
  std::shared_ptr<LineProcess> process = TRY(start_());
  const Handle worker = workers_.insert(
      workers_.end(), Worker{kind, process, nullptr, boost::asio::steady_timer(io_)});
  process->on_line = [this, which = process.get()](std::string_view line) {
    if (const Handle of = Find(which); of != workers_.end()) Take(of, line);
  };
  process->on_end = [this, which = process.get()](const Result<ExitStatus>&, const std::string&) {
    if (const Handle of = Find(which); of != workers_.end()) Ended(of);
  };
  process->Run();
  return worker;
}

void WarmPool::Give(Handle worker, std::unique_ptr<Job> job) {
  worker->idle.cancel();
  worker->job = std::move(job);
  worker->was_told = false;
  const std::shared_ptr<LineProcess> process = worker->process;
  process->KillAfter(worker->job->timeout);
  process->Send(worker->job->text + "\n");
  if (!worker->job->on_process(process)) process->Stop();
}

void WarmPool::Take(Handle worker, std::string_view line) {
  if (!worker->job) return;
  worker->was_told = true;
  worker->job->on_line(line);
  if (!IsExitFrame(line)) return;
  worker->is_new = false;
  worker->process->KillNever();
  EndIdle();  // of two that worked side by side one is enough
  const std::unique_ptr<Job> done = std::move(worker->job);
  worker->idle.expires_after(keep_);
  worker->idle.async_wait([this, which = worker->process.get()](boost::system::error_code error) {
    const Handle of = error ? workers_.end() : Find(which);
    const bool is_due =
        of != workers_.end() && !of->job && of->idle.expiry() <= std::chrono::steady_clock::now();
    if (is_due) Retire(of);
  });
  done->on_end();
}

// One that ended by itself as it was given a job has heard nothing of it: the job goes to a new
// one.
void WarmPool::Ended(Handle worker) {
  std::unique_ptr<Job> job = std::move(worker->job);
  const bool is_unheard = job && !worker->was_told && !worker->is_new;
  worker->idle.cancel();
  workers_.erase(worker);
  if (!job) return;
  if (is_unheard && job->on_process(nullptr)) {
    if (const Result<Handle> next = Launch(job->kind)) return Give(*next, std::move(job));
  }
  job->on_end();
}

void WarmPool::Retire(Handle worker) {
  worker->process->CloseInput();
  worker->process->Stop();
  workers_.erase(worker);
}

}  // namespace couplingd
