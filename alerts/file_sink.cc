// A file that grows by one line of the webhook's JSON for each message.
#include <sys/stat.h>

#include "alerts/sink.h"
#include "base/files.h"

namespace couplingd {
namespace {

class FileSink final : public Sink {
 public:
  FileSink(std::string name, std::string path) : name_(std::move(name)), path_(std::move(path)) {}

  const std::string& Name() const override { return name_; }
  SinkTraits Traits() const override {
    return {.pace = {.per_second = 100, .burst = 100}, .most_alerts = kMostTold};
  }

  DeliveryOutcome Send(const Notification& notification, std::stop_token) override {
    const Status written = AppendLine(path_, RenderWebhook(notification));
    if (written) return {DeliveryResult::kDelivered, std::nullopt, "written"};
    const bool never = written.error().kind == ErrorKind::kInvalidData;
    return {never ? DeliveryResult::kPermanent : DeliveryResult::kRetry, std::nullopt,
            written.error().Text()};
  }

 private:
  const std::string name_;
  const std::string path_;
};

}  // namespace

Result<std::unique_ptr<Sink>> MakeFileSink(const SinkConfig& config, const SinkServices&) {
  if (config.path.empty()) return Fail(ErrorKind::kInvalidData, "there is no path");
  struct stat status {};
  if (::stat(config.path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return Fail(ErrorKind::kInvalidData, config.path + " is not a regular file");
  }
  return std::make_unique<FileSink>(config.name, config.path);
}

}  // namespace couplingd
