#include "tests/alerts/smtp_server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <mutex>
#include <optional>
#include <thread>

namespace couplingd::testing {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using boost::system::error_code;
using tcp = asio::ip::tcp;

std::string Verb(const std::string& line) {
  std::string verb = line.substr(0, line.find(' '));
  std::ranges::transform(verb, verb.begin(), [](unsigned char c) { return std::toupper(c); });
  return verb;
}

std::string AfterColon(const std::string& line) {
  const std::string rest = line.substr(line.find(':') + 1);
  return rest.substr(0, rest.find(' '));
}

// Lines over a socket that may become encrypted on the way.
class Wire {
 public:
  explicit Wire(tcp::socket& socket) : socket_(socket) {}

  bool Encrypt(ssl::context& context) {
    tls_.emplace(socket_, context);
    error_code error;
    tls_->handshake(ssl::stream_base::server, error);
    return !error;
  }
  bool encrypted() const { return tls_.has_value(); }

  std::optional<std::string> ReadLine() {
    std::size_t end;
    while ((end = pending_.find("\r\n")) == std::string::npos) {
      char block[16384];
      error_code error;
      const std::size_t got = tls_ ? tls_->read_some(asio::buffer(block), error)
                                   : socket_.read_some(asio::buffer(block), error);
      if (error) return std::nullopt;
      pending_.append(block, got);
    }
    std::string line = pending_.substr(0, end);
    pending_.erase(0, end + 2);
    return line;
  }
  void Write(const std::string& text) {
    error_code error;
    if (tls_) {
      asio::write(*tls_, asio::buffer(text + "\r\n"), error);
    } else {
      asio::write(socket_, asio::buffer(text + "\r\n"), error);
    }
  }
  void HangUntilTheClientLeaves() {
    while (ReadLine()) {
    }
  }
  void Reset() {
    error_code error;
    socket_.set_option(asio::socket_base::linger(true, 0), error);
    socket_.close(error);
  }

 private:
  tcp::socket& socket_;
  std::optional<ssl::stream<tcp::socket&>> tls_;
  std::string pending_;
};

}  // namespace

struct SmtpServer::State {
  asio::io_context context;
  tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), 0}};
  SmtpReply reply;
  std::optional<ssl::context> tls;
  bool implicit_tls = false;
  mutable std::mutex mutex;
  std::vector<ServedMail> mails;
  std::atomic<bool> stopping = false;
  std::jthread serving;
  std::shared_ptr<tcp::socket> socket;  // guarded by mutex

  std::string Scripted(const std::string& line) { return reply ? reply(line) : std::string(); }

  // False where the connection is over.
  bool Say(Wire& wire, const std::string& scripted, const std::string& otherwise) {
    if (scripted == "HANG") return wire.HangUntilTheClientLeaves(), false;
    if (scripted == "DROP") return wire.Reset(), false;
    wire.Write(scripted.empty() ? otherwise : scripted);
    return true;
  }

  bool TakeText(Wire& wire, ServedMail& mail) {
    while (auto line = wire.ReadLine()) {
      if (*line == ".") return true;
      if (line->starts_with('.')) line->erase(0, 1);
      mail.data += *line + "\r\n";
    }
    return false;
  }

  void Serve(tcp::socket& peer) {
    Wire wire(peer);
    if (implicit_tls && !wire.Encrypt(*tls)) return;
    if (!Say(wire, Scripted("CONNECT"), "220 sink.test ESMTP")) return;
    ServedMail mail;
    while (const auto line = wire.ReadLine()) {
      const std::string verb = Verb(*line), scripted = Scripted(*line);
      if (verb == "STARTTLS" && scripted.empty()) {
        wire.Write("220 go ahead");
        if (!wire.Encrypt(*tls)) return;
        continue;
      }
      std::string answer = "250 ok";
      const bool accepts = scripted.empty();
      if (verb == "EHLO") {
        answer = "250-sink.test\r\n";
        if (tls && !wire.encrypted()) answer += "250-STARTTLS\r\n";
        answer += "250 AUTH PLAIN LOGIN";
      } else if (verb == "AUTH") {
        mail.login = line->substr(5);
        if (accepts && line->find(' ', 5) == std::string::npos) {
          wire.Write("334 ");
          mail.login += " " + wire.ReadLine().value_or("");
          const std::string second = Scripted("AUTH " + mail.login);
          if (!Say(wire, second, "235 welcome")) return;
          continue;
        }
        answer = "235 welcome";
      } else if (verb == "MAIL") {
        mail.from = AfterColon(*line);
      } else if (verb == "RCPT") {
        if (accepts) mail.to.push_back(AfterColon(*line));
      } else if (verb == "DATA" && accepts) {
        wire.Write("354 go ahead");
        if (!TakeText(wire, mail)) return;
        mail.encrypted = wire.encrypted();
        const std::string after = Scripted(".");
        if (after.empty()) {
          const std::lock_guard lock(mutex);
          mails.push_back(mail);
        }
        if (!Say(wire, after, "250 taken")) return;
        mail = ServedMail{};
        continue;
      } else if (verb == "QUIT") {
        wire.Write("221 bye");
        return;
      }
      if (!Say(wire, scripted, answer)) return;
    }
  }
};

SmtpServer::SmtpServer(SmtpReply reply, const ServerIdentity& identity, bool implicit_tls)
    : state_(std::make_shared<State>()) {
  state_->reply = std::move(reply);
  state_->implicit_tls = implicit_tls;
  if (!identity.certificate.empty()) {
    state_->tls.emplace(ssl::context::tls_server);
    SSL_CTX_set_security_level(state_->tls->native_handle(), 0);
    state_->tls->use_certificate_chain_file(identity.certificate);
    state_->tls->use_private_key_file(identity.key, ssl::context::pem);
  }
  state_->serving = std::jthread([state = state_.get()] {
    while (!state->stopping) {
      auto socket = std::make_shared<tcp::socket>(state->context);
      error_code error;
      state->acceptor.accept(*socket, error);
      if (error || state->stopping) continue;
      {
        const std::lock_guard lock(state->mutex);
        state->socket = socket;
      }
      state->Serve(*socket);
      const std::lock_guard lock(state->mutex);
      state->socket.reset();
    }
  });
}

SmtpServer::~SmtpServer() {
  state_->stopping = true;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->socket) ::shutdown(state_->socket->native_handle(), SHUT_RDWR);
  }
  asio::io_context context;
  tcp::socket last(context);
  error_code error;
  last.connect(state_->acceptor.local_endpoint(), error);
  state_->serving.join();
}

int SmtpServer::Port() const { return state_->acceptor.local_endpoint().port(); }

std::vector<ServedMail> SmtpServer::Mails() const {
  const std::lock_guard lock(state_->mutex);
  return state_->mails;
}

}  // namespace couplingd::testing
