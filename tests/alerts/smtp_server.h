// A small SMTP server on loopback that answers as a test says.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/alerts/local_server.h"

namespace couplingd::testing {

struct ServedMail {
  std::string from;  // as in the envelope, with its brackets
  std::vector<std::string> to;
  std::string data;  // dots taken off, lines ending in CRLF
  bool encrypted = false;
  std::string login;  // what came after AUTH, and with it
};

// The answer to a line of the client (after DATA: to the text, given as "."), such as "450 later";
// empty: as a server that takes everything. "HANG" says nothing more, "DROP" resets the connection.
using SmtpReply = std::function<std::string(const std::string& line)>;

class SmtpServer {
 public:
  // With an identity: STARTTLS is offered, or spoken from the start where `implicit_tls`.
  explicit SmtpServer(SmtpReply reply = {}, const ServerIdentity& identity = {},
                      bool implicit_tls = false);
  ~SmtpServer();
  int Port() const;
  std::vector<ServedMail> Mails() const;  // those taken

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace couplingd::testing
