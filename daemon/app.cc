#include "daemon/app.h"

#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <optional>
#include <utility>

#include "base/files.h"
#include "base/http_client.h"
#include "base/process.h"
#include "daemon/executor.h"
#include "daemon/service.h"
#include "daemon/service_manager.h"
#include "history/store.h"

namespace couplingd {
namespace {

class DaemonApp final : public App {
 public:
  DaemonApp(AppOptions options, const Clock& clock, Config config,
            std::unique_ptr<HistoryWriter> history, std::vector<std::string> probe)
      : options_(std::move(options)),
        clock_(clock),
        config_(std::move(config)),
        history_(std::move(history)),
        http_(MakeCurlHttpClient()),
        executor_(MakeLocalExecutor(std::move(probe), clock)) {}

  Status Run() override {
    const ServiceParts parts{clock_,     *history_,     *http_,
                             *executor_, options_.once, options_.config_path};
    Config current = config_;
    std::optional<Config> previous;
    while (true) {
      Result<std::unique_ptr<Service>> service = Service::Start(current, parts);
      if (!service) {
        if (!previous) return std::unexpected(service.error());
        spdlog::error("the new configuration cannot run, the old one goes on: {}",
                      service.error().Text());
        TRY(history_->SaveEvent("error", current.source, service.error().Text()));
        current = *std::exchange(previous, std::nullopt);
        continue;
      }
      NotifyReady();
      if ((*service)->Run() != ServiceEnd::kReloaded) break;
      NotifyReloading();
      previous = std::exchange(current, (*service)->next_config());
    }
    NotifyStopping();
    return history_->CheckpointLog();
  }

 private:
  const AppOptions options_;
  const Clock& clock_;
  const Config config_;
  std::unique_ptr<HistoryWriter> history_;
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<Executor> executor_;

  // Keeps the signals caught while one service ends and the next has not begun.
  boost::asio::io_context idle_;
  boost::asio::signal_set caught_{idle_, SIGTERM, SIGINT, SIGHUP};
};

}  // namespace

Result<std::unique_ptr<App>> App::New(const AppOptions& options, const Clock& clock) {
  Config config = TRY(LoadConfig(options.config_path));
  spdlog::set_level(spdlog::level::from_str(config.log_level));
  std::vector<std::string> probe = config.executor.command;
  if (config.executor.kind == "local") {
    probe = {options.probe_path.empty() ? JoinPath(TRY(ExecutableDirectory()), "couplingd-probe")
                                        : options.probe_path};
  }
  auto history = TRY(HistoryWriter::Open(config.store.path, clock));
  std::signal(SIGPIPE, SIG_IGN);
  return std::make_unique<DaemonApp>(options, clock, std::move(config), std::move(history),
                                     std::move(probe));
}

}  // namespace couplingd
