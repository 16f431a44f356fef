// Messages as the webhook sink sends them, signed with one to three secrets: a JSON line each with
// the secrets, the headers and the body.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <random>
#include <string>

#include "alerts/sink.h"
#include "base/files.h"
#include "base/json.h"

namespace couplingd {
namespace {

// Hands every request to a function and answers 204.
class Recorder final : public HttpClient {
 public:
  Result<HttpResponse> Send(const HttpRequest& request) override {
    last = request;
    return HttpResponse{.status = 204};
  }
  HttpRequest last;
};

std::string NewSecret(std::mt19937_64& draw) {
  std::string bytes(24 + draw() % 41, '\0');
  for (char& byte : bytes) byte = static_cast<char>(draw());
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  return "whsec_" + text.substr(0, static_cast<std::size_t>(size));
}

Notification NewMessage(std::mt19937_64& draw) {
  Notification notification;
  notification.delivery_id = fmt::format("{:016x}{:016x}", draw(), draw());
  AlertNews& news = notification.news.emplace_back();
  news.alert.key = fmt::format("{:016x}{:016x}", draw(), draw());
  news.alert.sequence = 1;
  news.alert.starts_at = 1795442700000;
  news.alert.finding.rule = "tax";
  news.alert.finding.summary = fmt::format("γ = -{} — \"quoted\" \\ <&>", draw() % 100);
  news.alert.finding.labels = {{"run", fmt::format("run {}", draw() % 10)}};
  news.delivery.delivery_id = notification.delivery_id;
  news.delivery.sink = "bench";
  return notification;
}

Status Run(int count, std::uint64_t seed) {
  std::mt19937_64 draw(seed);
  std::string folder = (std::filesystem::temp_directory_path() / "signatures-XXXXXX").string();
  if (!::mkdtemp(folder.data())) return std::unexpected(ErrnoError(errno, "make", folder));
  const std::unique_ptr<std::string, void (*)(std::string*)> cleaner(
      &folder, [](std::string* path) { std::filesystem::remove_all(*path); });
  const SystemClock clock;
  Recorder recorder;
  const HostResolver resolve = [](const std::string&) -> Result<std::vector<std::string>> {
    return std::vector<std::string>{"93.184.216.34"};
  };
  SinkConfig config{.name = "bench", .kind = "webhook"};
  config.url_file = JoinPath(folder, "url");
  config.secret_file = JoinPath(folder, "secret");
  TRY(WriteFileAtomically(config.url_file, "https://hooks.example/"));
  for (int i = 0; i < count; ++i) {
    std::vector<std::string> secrets(1 + draw() % 3);
    for (std::string& secret : secrets) secret = NewSecret(draw);
    TRY(WriteFileAtomically(config.secret_file, fmt::format("{}", fmt::join(secrets, " "))));
    auto sinks = TRY(MakeSinks({config}, {recorder, clock, resolve}));
    sinks.front()->Send(NewMessage(draw), {});
    JsonWriter json;
    json.BeginObject().Key("secrets").BeginArray();
    for (const std::string& secret : secrets) json.Value(secret);
    json.EndArray().Key("headers").BeginObject();
    for (const auto& [name, value] : recorder.last.headers) json.Field(name, value);
    json.EndObject().Field("body", recorder.last.body).EndObject();
    fmt::print("{}\n", json.Text());
  }
  return {};
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) {
  CLI::App flags("prints signed messages of the webhook sink");
  int count = 1000;
  std::uint64_t seed = 1;
  flags.add_option("--count", count, "Messages")->capture_default_str();
  flags.add_option("--seed", seed, "Draws secrets and messages")->capture_default_str();
  CLI11_PARSE(flags, argc, argv);
  const couplingd::Status done = couplingd::Run(count, seed);
  if (done) return 0;
  fmt::print(stderr, "{}\n", done.error().Text());
  return couplingd::ExitCode(done.error().kind);
}
