// Workers that are kept between evaluations (couplingd-probe serve).
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "daemon/line_process.h"
#include "queries/worker.h"

namespace couplingd {

// On the io_context's thread. A worker serves requests that differ in the checkpoint alone: those
// of one run under one configuration. At most one waits without work; it is ended after a while,
// and before a worker for anything else is started.
class WarmPool {
 public:
  using Start = std::function<Result<std::shared_ptr<LineProcess>>()>;

  WarmPool(boost::asio::io_context& io, Start start, std::chrono::milliseconds keep)
      : io_(io), start_(std::move(start)), keep_(keep) {}

  struct Job {
    std::string kind;  // KindOf the request
    std::string text;  // the request, one line
    std::chrono::milliseconds timeout{};
    // The process that works on it; where that has died, nullptr, and then the one that takes it
    // over. False: it is wanted no more.
    std::function<bool(const std::shared_ptr<LineProcess>&)> on_process;
    std::function<void(std::string_view)> on_line;  // of this request's frames
    std::function<void()> on_end;                   // behind its exit frame, or the worker's end
  };
  // An error: no worker could be started, and nothing of the job is called.
  Status Evaluate(Job job);
  // Ends the worker that waits.
  void EndIdle();

  // The request without its checkpoint.
  static std::string KindOf(const WorkerRequest& request);

 private:
  struct Worker {
    std::string kind;
    std::shared_ptr<LineProcess> process;
    std::unique_ptr<Job> job;  // absent while it waits
    boost::asio::steady_timer idle;
    bool was_told = false;  // a frame of the job has come
    bool is_new = true;     // has not served yet
  };
  using Handle = std::list<Worker>::iterator;

  Handle Find(const LineProcess* process);  // workers_.end() where it has left
  Result<Handle> Launch(const std::string& kind);
  void Give(Handle worker, std::unique_ptr<Job> job);
  void Take(Handle worker, std::string_view line);
  void Ended(Handle worker);
  void Retire(Handle worker);

  boost::asio::io_context& io_;
  const Start start_;
  const std::chrono::milliseconds keep_;
  std::list<Worker> workers_;
};

}  // namespace couplingd
