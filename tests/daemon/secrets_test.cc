// No secret shows anywhere: the real daemon with sinks of every kind whose far ends fail in every
// way and repeat what they were sent, at the most talkative log level. Every secret holds the word
// CANARY.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include "base/files.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/process.h"
#include "tests/alerts/local_server.h"
#include "tests/alerts/smtp_server.h"
#include "tests/daemon/real_daemon.h"
#include "tests/eventually.h"

namespace couplingd {
namespace {

namespace fs = std::filesystem;
using testing::LocalServer;
using testing::ServedAnswer;
using testing::ServedRequest;
using testing::SmtpServer;

// As it is, and as base64 at each alignment.
const std::vector<std::string> kCanaries = {"CANARY", "Q0FOQVJZ", "DQU5BUl", "NBTkFSW"};
constexpr char kSigningSecret[] = "whsec_CANARYQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw1";

std::string Program(const std::string& name) {
  return std::string(COUPLINGD_BINARY_DIR) + "/" + name;
}

int FreePort() {
  using tcp = boost::asio::ip::tcp;
  boost::asio::io_context context;
  return tcp::acceptor(context, {boost::asio::ip::address_v4::loopback(), 0})
      .local_endpoint()
      .port();
}

// Everything of the request, as a peer might repeat it.
std::string Echo(const ServedRequest& request) {
  std::string echo = request.method + " " + request.target + " ";
  for (const auto& [name, value] : request.headers) echo += name + ": " + value + "\n";
  return echo;
}

// The far end that one path of one server stands for.
ServedAnswer Misbehave(const ServedRequest& request) {
  const std::string echo = Echo(request);
  const auto is = [&](const char* word) {
    return request.target.find(word) != std::string::npos || request.method == word;
  };
  if (is("CONNECT")) return {.status = 407, .body = echo};
  if (is("refused")) return {.status = 404, .body = echo};
  if (is("limited")) return {.status = 429, .body = echo, .headers = {{"Retry-After", "1"}}};
  if (is("moved")) return {.status = 302, .body = echo, .headers = {{"Location", request.target}}};
  if (is("reset")) return {.fault = ServedAnswer::Fault::kReset};
  if (is("garbage")) return {.fault = ServedAnswer::Fault::kGarbage};
  if (is("hang")) return {.fault = ServedAnswer::Fault::kHang};
  if (is("wrong")) return {.status = 200, .body = echo};
  return {.status = 500, .body = echo};
}

class Secrets : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/couplingd-secrets-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  void TearDown() override {
    daemon_.reset();
    fs::remove_all(folder_);
  }

  std::string File(const std::string& name, const std::string& text) const {
    const std::string path = JoinPath(folder_, name);
    EXPECT_TRUE(WriteFileAtomically(path, text, 0600));
    return path;
  }

  // Adds a sink that calls the address.
  void AddSink(const std::string& name, const std::string& kind, const std::string& url,
               const std::string& more = "") {
    names_.push_back(name);
    sinks_ += "  - {name: " + name + ", kind: " + kind + ", timeout: 500ms, allow_private: true, " +
              "url_file: " + File(name + ".url", url) + more + "}\n";
  }

  void Configure() {
    const std::string path = "/CANARYPATH/CANARYID?key=CANARYQUERY&";
    const std::string signing = ", secret_file: " + File("signing", kSigningSecret);
    for (const char* fault :
         {"error", "refused", "limited", "moved", "reset", "garbage", "hang", "wrong"}) {
      AddSink(std::string("webhook-") + fault, "webhook", server_.Url(path + fault), signing);
      AddSink(std::string("slack-") + fault, "slack", server_.Url(path + fault));
    }
    const std::string closed = "http://127.0.0.1:1" + path;
    AddSink("closed", "webhook", closed, signing);
    AddSink("nowhere", "webhook", "https://canaryhost.invalid" + path);
    AddSink("no-tls", "webhook",
            "https://127.0.0.1:" + std::to_string(server_.Port()) + path + "error");
    AddSink("private-name", "webhook", "https://localhost:1" + path);
    AddSink("proxied", "webhook", "https://hooks.example" + path,
            ", proxy_file: " +
                File("proxy", "http://us:CANARYPROXY@127.0.0.1:" + std::to_string(server_.Port())));
    AddSink("watchers", "alertmanager",
            "http://us:CANARYBASIC@127.0.0.1:" + std::to_string(server_.Port()) + "/CANARYAM\n" +
                closed + "CANARYREPLICA\n");
    AddSink("bearer", "alertmanager", server_.Url("/CANARYAM"),
            ", token_file: " + File("token", "CANARYBEARERTOKEN"));
    const std::string mail = ", from: a@sink.test, to: [b@sink.test]";
    AddSink("mail", "email", "smtp://us:CANARYMAIL@127.0.0.1:" + std::to_string(smtp_.Port()),
            mail);
    AddSink("mail-closed", "email", "smtps://us:CANARYMAIL@127.0.0.1:1", mail);
    sinks_ += "  - {name: program, kind: command, command: [/bin/sh, -c, \"env; exit 1\"]}\n";
    sinks_ += "  - {name: lines, kind: file, path: " + JoinPath(folder_, "absent/lines") + "}\n";
    names_.insert(names_.end(), {"program", "lines"});

    metrics_ = FreePort();
    config_ = JoinPath(folder_, "couplingd.yaml");
    yaml_ = "store: {path: " + JoinPath(folder_, "state") +
            "}\nserver: {listen: \"127.0.0.1:" + std::to_string(metrics_) +
            "\"}\nruns:\n  - {name: run, path: " + JoinPath(folder_, "run") +
            ", layout: step}\nwatch: {quiet_local: 100ms, scan_interval: 100ms}\nevaluation: "
            "{attempts: 1}\n"
            "notify: {group_wait: 0s}\nsinks:\n" +
            sinks_ + "heartbeat: {interval: 1s, timeout: 500ms, allow_private: true, url_file: " +
            File("heartbeat.url", server_.Url("/CANARYCHECK/CANARYUUID")) + "}\nlog_level: trace\n";
    ASSERT_TRUE(WriteFileAtomically(config_, yaml_, 0644));
  }

  // A checkpoint that cannot be evaluated, which is an alert.
  void LayUnusableCheckpoint() const {
    const std::string path = JoinPath(folder_, "run/step-1");
    fs::create_directories(path);
    const std::string header = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    std::ofstream weights(JoinPath(path, "model.safetensors"), std::ios::binary);
    const std::uint64_t size = header.size();
    weights.write(reinterpret_cast<const char*>(&size), 8);
    weights << header << std::string(4, '\0');
    std::ofstream(JoinPath(path, "config.json")) << "{\"model_type\": \"nonesuch\"}";
    std::ofstream(JoinPath(path, "tokenizer.json")) << "{}";
  }

  void StartDaemon() {
    auto process = StartDaemonProcess(Program("couplingd"), config_, JoinPath(folder_, "log"));
    ASSERT_TRUE(process) << process.error().Text();
    daemon_.emplace(std::move(*process));
  }

  std::string Ask(std::vector<std::string> words) const {
    words.insert(words.begin(), {Program("couplingctl"), "--config", config_});
    ProcessOptions options;
    options.arguments = words;
    options.environment = MinimalEnvironment();
    const auto output = RunProcess(options, "", std::chrono::minutes(1));
    return output ? output->out + output->err : "";
  }

  // How many sinks have had an answer to their delivery.
  std::size_t Attempted() const {
    const auto rows = ParseJson(Ask({"deliveries", "--json"}), "deliveries");
    if (!rows || !rows->IsArray()) return 0;
    std::set<std::string> sinks;
    for (const JsonValue& row : rows->GetArray()) {
      if (row["attempts"].GetInt() > 0) sinks.insert(row["sink"].GetString());
    }
    return sinks.size();
  }

  std::string Log() const { return ReadFile(JoinPath(folder_, "log")).value_or(""); }

  static void ExpectNoSecret(const std::string& where, const std::string& text) {
    for (const std::string& canary : kCanaries) {
      const std::size_t at = text.find(canary);
      EXPECT_EQ(at, std::string::npos)
          << where << ": …" << text.substr(at < 80 ? 0 : at - 80, 200) << "…";
    }
  }

  std::string folder_, config_, yaml_, sinks_;
  std::vector<std::string> names_;
  int metrics_ = 0;
  LocalServer server_{Misbehave};
  SmtpServer smtp_{[](const std::string& line) {
    return line.starts_with("AUTH ") && line.size() > 12 ? "535 you said " + line : "";
  }};
  std::optional<Process> daemon_;
};

TEST_F(Secrets, ShowNowhereHoweverTheFarEndsFail) {
  Configure();
  LayUnusableCheckpoint();
  StartDaemon();
  ASSERT_TRUE(Eventually([&] { return Attempted() == names_.size(); }))
      << Attempted() << " of " << names_.size() << "\n"
      << Log();
  ASSERT_TRUE(Eventually([&] { return Log().find("the heartbeat is not heard") != Log().npos; }));
  std::vector<std::pair<std::string, std::string>> texts;
  texts.emplace_back("alerts test", Ask({"alerts", "test"}));
  for (const char* verb : {"status", "alerts", "deliveries", "events", "runs", "checkpoints"}) {
    texts.emplace_back(verb, Ask({verb}));
    texts.emplace_back(std::string(verb) + " --json", Ask({verb, "--json"}));
  }
  texts.emplace_back("check-config", Ask({"check-config", config_}));
  const auto http = MakeCurlHttpClient();
  const std::string tcp = "http://127.0.0.1:" + std::to_string(metrics_);
  for (const char* path : {"/metrics", "/-/healthy", "/-/ready"}) {
    const auto answer = http->Send({.url = Secret(tcp + path)});
    ASSERT_TRUE(answer) << answer.error().Text();
    texts.emplace_back(path, answer->body);
  }
  const std::string process = "/proc/" + std::to_string(daemon_->pid());
  texts.emplace_back("cmdline", ReadFile(process + "/cmdline").value_or(""));
  texts.emplace_back("environ", ReadFile(process + "/environ").value_or(""));

  // A reload that fails on a secret says so without it.
  File("closed.url", "CANARY is \x01 no address");
  ASSERT_TRUE(WriteFileAtomically(config_, yaml_ + "# changed\n", 0644));
  daemon_->Signal(SIGHUP);
  ASSERT_TRUE(Eventually([&] { return Log().find("cannot run") != Log().npos; })) << Log();
  texts.emplace_back("events after", Ask({"status"}));
  daemon_->Signal(SIGTERM);
  ASSERT_TRUE(daemon_->Wait());
  daemon_.reset();
  texts.emplace_back("status of a daemon that is down", Ask({"status", "--json"}));

  texts.emplace_back("log", Log());
  for (const auto& entry : fs::recursive_directory_iterator(JoinPath(folder_, "state"))) {
    if (entry.is_regular_file()) {
      texts.emplace_back(entry.path(), ReadFile(entry.path()).value_or(""));
    }
  }
  for (const auto& [where, text] : texts) ExpectNoSecret(where, text);

  // What was looked through is what it seems, and the secrets did arrive where they belong.
  EXPECT_THAT(Log(), ::testing::HasSubstr("sink webhook-error: delivery"));
  EXPECT_THAT(Log(), ::testing::HasSubstr("<redacted>"));
  const std::vector<ServedRequest> requests = server_.Requests();
  const auto arrived = [&](const std::string& secret) {
    return std::ranges::any_of(requests, [&](const ServedRequest& request) {
      return Echo(request).find(secret) != std::string::npos;
    });
  };
  for (const char* secret : {"/CANARYPATH/CANARYID?key=CANARYQUERY&hang", "CANARYBEARERTOKEN",
                             "/CANARYCHECK/CANARYUUID", "Basic dXM6Q0FOQVJZ"}) {
    EXPECT_TRUE(arrived(secret)) << secret;
  }
}

}  // namespace
}  // namespace couplingd
