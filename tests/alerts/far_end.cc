#include "tests/alerts/far_end.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "tests/alerts/local_server.h"
#include "tests/alerts/smtp_server.h"

namespace couplingd::testing {
namespace {

constexpr char kSecretPath[] = "/services/T0SECRETPATH/B0SECRETPATH?token=SECRETQUERY";
constexpr char kSigningSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char kTokenSecret[] = "SECRETBEARERTOKEN";
constexpr char kControls[] = "\x1b[2J\a\n";
constexpr std::size_t kFlood = 5u << 20;

// What an HTTP server of each kind says when all is well.
const std::map<std::string_view, std::string> kGoodAnswers = {
    {"webhook", ""},
    {"slack", "ok"},
    {"slack_bot", R"({"ok":true,"channel":"C1","ts":"1795442700.000100"})"},
    {"alertmanager", ""}};

class HttpFarEnd final : public FarEnd {
 public:
  HttpFarEnd(std::string_view kind, Behaviour behaviour, const TemporaryFolder& folder)
      : kind_(kind),
        behaviour_(behaviour),
        folder_(folder),
        server_([this](const auto& request) { return Answer(request); }) {}

  SinkConfig Config() const override {
    SinkConfig config{.name = "the sink", .kind = kind_};
    std::string url = server_.Url(kSecretPath);
    if (kind_ == "alertmanager") {
      url = "http://watcher:SECRETPASSWORD@127.0.0.1:" + std::to_string(server_.Port()) +
            "/T0SECRETPATH";
      config.token_file = folder_.File("token", kTokenSecret);
    }
    if (kind_ == "slack_bot") {
      url = server_.Url("/T0SECRETPATH/api/");
      config.token_file = folder_.File("token", kTokenSecret);
      config.channel = "C1";
    }
    if (kind_ == "webhook") config.secret_file = folder_.File("secret", kSigningSecret);
    config.url_file = folder_.File("url", url);
    config.allow_private = true;
    return config;
  }
  std::vector<std::string> Taken() const override {
    std::vector<std::string> bodies;
    for (const ServedRequest& request : server_.Requests()) bodies.push_back(request.body);
    return bodies;
  }

 private:
  ServedAnswer Answer(const ServedRequest& request) const {
    switch (behaviour_) {
      case Behaviour::kAccept:
        return {.body = kGoodAnswers.at(kind_)};
      case Behaviour::kTryLater:
        return {.status = 503, .body = "try later"};
      case Behaviour::kRefuse:
        return {.status = 404, .body = "no"};
      case Behaviour::kHang:
        return {.fault = ServedAnswer::Fault::kHang};
      case Behaviour::kBreak:
        return {.fault = ServedAnswer::Fault::kReset};
      case Behaviour::kTalkative:
        break;
    }
    std::string echo = request.target + kControls;
    for (const auto& [name, value] : request.headers) echo += name + ": " + value + kControls;
    if (kind_ == "webhook") echo += std::string(kSigningSecret) + kControls;
    return {.status = 500, .body = echo + std::string(kFlood, 'x')};
  }

  const std::string kind_;
  const Behaviour behaviour_;
  const TemporaryFolder& folder_;
  LocalServer server_;
};

class MailFarEnd final : public FarEnd {
 public:
  MailFarEnd(Behaviour behaviour, const TemporaryFolder& folder)
      : folder_(folder),
        server_([behaviour](const std::string& line) { return Reply(behaviour, line); }) {}

  SinkConfig Config() const override {
    SinkConfig config{.name = "the sink", .kind = "email"};
    config.url_file = folder_.File(
        "url", "smtp://watcher:SECRETPASSWORD@127.0.0.1:" + std::to_string(server_.Port()));
    config.from = "couplingd@sink.test";
    config.to = {"oncall@sink.test"};
    config.allow_private = true;
    return config;
  }
  std::vector<std::string> Taken() const override {
    std::vector<std::string> texts;
    for (const ServedMail& mail : server_.Mails()) texts.push_back(mail.data);
    return texts;
  }

 private:
  static std::string Reply(Behaviour behaviour, const std::string& line) {
    if (behaviour == Behaviour::kTalkative && line.starts_with("AUTH") && line.size() > 12) {
      std::string talk;
      while (talk.size() < kFlood) talk += "454-" + line + " SECRETPASSWORD \x1b[2J\r\n";
      return talk + "454 " + line;
    }
    if (!line.starts_with("RCPT")) return "";
    switch (behaviour) {
      case Behaviour::kTryLater:
        return "451 try later";
      case Behaviour::kRefuse:
        return "550 no such user";
      case Behaviour::kHang:
        return "HANG";
      case Behaviour::kBreak:
        return "DROP";
      default:
        return "";
    }
  }

  const TemporaryFolder& folder_;
  SmtpServer server_;
};

class CommandFarEnd final : public FarEnd {
 public:
  CommandFarEnd(Behaviour behaviour, const TemporaryFolder& folder) : folder_(folder) {
    const std::map<Behaviour, std::string> scripts = {
        {Behaviour::kAccept, "cat >> \"$1\"; echo >> \"$1\""},
        {Behaviour::kTryLater, "echo try later >&2; exit 75"},
        {Behaviour::kRefuse, "echo no >&2; exit 78"},
        {Behaviour::kHang, "sleep 600"},
        {Behaviour::kBreak, "kill -9 $$"},
        {Behaviour::kTalkative,
         "env; cat; printf '\\033[2J\\a\\n'; yes | head -c 5000000; exit 75"}};
    program_ = folder.File("program", "#!/bin/sh\n" + scripts.at(behaviour) + "\n");
    ::chmod(program_.c_str(), 0700);
  }

  SinkConfig Config() const override {
    return {.name = "the sink", .kind = "command", .command = {program_, Received()}};
  }
  std::vector<std::string> Taken() const override { return LinesOf(Received()); }

  static std::vector<std::string> LinesOf(const std::string& path) {
    const std::string text = ReadFile(path).value_or("");
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  }

 private:
  std::string Received() const { return folder_.path() + "/received"; }

  const TemporaryFolder& folder_;
  std::string program_;
};

class FileFarEnd final : public FarEnd {
 public:
  FileFarEnd(Behaviour behaviour, const TemporaryFolder& folder)
      : behaviour_(behaviour),
        path_(folder.path() + (behaviour == Behaviour::kTryLater ? "/absent/lines" : "/lines")) {}

  SinkConfig Config() const override { return {.name = "the sink", .kind = "file", .path = path_}; }
  void Begin() override {
    if (behaviour_ == Behaviour::kRefuse) ::mkfifo(path_.c_str(), 0600);
  }
  std::vector<std::string> Taken() const override { return CommandFarEnd::LinesOf(path_); }

 private:
  const Behaviour behaviour_;
  const std::string path_;
};

}  // namespace

const std::vector<std::string> kSecretParts = {"T0SECRETPATH",
                                               "B0SECRETPATH",
                                               "SECRETQUERY",
                                               "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                               "SECRETBEARERTOKEN",
                                               "SECRETPASSWORD",
                                               "d2F0Y2hlcjpTRUNSRVRQQVNTV09SRA",
                                               "AHdhdGNoZXIAU0VDUkVUUEFTU1dPUkQ"};

std::unique_ptr<FarEnd> MakeFarEnd(std::string_view kind, Behaviour behaviour,
                                   const TemporaryFolder& folder) {
  if (kGoodAnswers.contains(kind)) return std::make_unique<HttpFarEnd>(kind, behaviour, folder);
  if (kind == "email") return std::make_unique<MailFarEnd>(behaviour, folder);
  if (kind == "command") return std::make_unique<CommandFarEnd>(behaviour, folder);
  const bool file_can = behaviour == Behaviour::kAccept || behaviour == Behaviour::kTryLater ||
                        behaviour == Behaviour::kRefuse;
  if (kind == "file" && file_can) return std::make_unique<FileFarEnd>(behaviour, folder);
  return nullptr;
}

}  // namespace couplingd::testing
