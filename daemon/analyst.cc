#include "daemon/analyst.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <set>

#include "queries/score_evidence.h"

namespace couplingd {
namespace {

namespace asio = boost::asio;

class ThreadAnalyst final : public Analyst {
 public:
  ThreadAnalyst(asio::io_context& io, const Config& config)
      : io_(io), config_(config), thread_(1) {}
  ~ThreadAnalyst() override { thread_.join(); }

  void Analyse(const std::string& family, std::function<void(Result<Analysis>)> done) override {
    if (!waiting_.insert(family).second) return;
    ++under_way_;
    asio::post(thread_, [this, family, done = std::move(done),
                         work = asio::make_work_guard(io_)]() mutable {
      asio::post(io_, [this, family] { waiting_.erase(family); });
      Result<Analysis> analysis = Work(family);
      asio::post(io_, [this, done = std::move(done), analysis = std::move(analysis)]() mutable {
        --under_way_;
        done(std::move(analysis));
      });
    });
  }

  bool busy() const override { return under_way_ > 0; }

 private:
  Result<Analysis> Work(const std::string& family) const {
    const auto history = TRY(HistoryReader::Open(config_.DatabasePath()));
    HistoryFilter filter;
    filter.family = family;
    Analysis analysis = TRY(couplingd::Analyse(*history, config_.coupling, config_.axes, filter));
    analysis.scores = TRY(MeasureScoreEvidence(*history, config_, filter));
    return analysis;
  }

  asio::io_context& io_;
  const Config config_;
  // On the io_context's thread only.
  std::set<std::string> waiting_;
  int under_way_ = 0;
  asio::thread_pool thread_;
};

}  // namespace

std::unique_ptr<Analyst> MakeAnalyst(asio::io_context& io, const Config& config) {
  return std::make_unique<ThreadAnalyst>(io, config);
}

}  // namespace couplingd
