// A program of the user's own: the webhook's JSON on its standard input, its exit status is the
// answer, in the codes of sysexits.h.
#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "alerts/endpoint.h"
#include "base/files.h"
#include "base/process.h"

namespace couplingd {
namespace {

constexpr std::size_t kMostOutput = 16u << 10;
constexpr int kRefusals[] = {EX_USAGE, EX_DATAERR, EX_NOPERM, EX_CONFIG};

class CommandSink final : public Sink {
 public:
  explicit CommandSink(const SinkConfig& config) : config_(config) {}

  const std::string& Name() const override { return config_.name; }
  SinkTraits Traits() const override { return {.most_alerts = kMostTold}; }

  DeliveryOutcome Send(const Notification& notification, std::stop_token stop) override {
    ProcessOptions options;
    options.arguments = config_.command;
    options.environment = MinimalEnvironment();
    options.environment.push_back("COUPLINGD_DELIVERY_ID=" + notification.delivery_id);
    const Result<ProcessOutput> output = RunProcess(options, RenderWebhook(notification),
                                                    config_.timeout, kMostOutput, std::move(stop));
    if (!output) return NotRun(output.error());
    return OutcomeOf(*output);
  }

 private:
  // A program that is missing today may be back before the message is given up.
  static DeliveryOutcome NotRun(const Error& error) {
    const bool cancelled = error.kind == ErrorKind::kCancelled;
    return {cancelled ? DeliveryResult::kCancelled : DeliveryResult::kRetry, std::nullopt,
            error.Text()};
  }

  static DeliveryOutcome OutcomeOf(const ProcessOutput& output) {
    DeliveryOutcome outcome;
    outcome.text = output.exit.Text();
    if (output.exit.ok()) {
      outcome.result = DeliveryResult::kDelivered;
    } else if (output.exit.signal == 0 &&
               std::ranges::find(kRefusals, output.exit.code) != std::end(kRefusals)) {
      outcome.result = DeliveryResult::kPermanent;
    }
    const std::string said = Redactor({}).Clean(output.err.empty() ? output.out : output.err);
    if (!said.empty()) outcome.text += ": " + said;
    return outcome;
  }

  const SinkConfig config_;
};

}  // namespace

Result<std::unique_ptr<Sink>> MakeCommandSink(const SinkConfig& config, const SinkServices&) {
  if (config.command.empty()) return Fail(ErrorKind::kInvalidData, "there is no command");
  const std::string& program = config.command.front();
  if (program.find('/') != std::string::npos && ::access(program.c_str(), X_OK) != 0) {
    return std::unexpected(ErrnoError(errno, "run", program));
  }
  return std::make_unique<CommandSink>(config);
}

}  // namespace couplingd
