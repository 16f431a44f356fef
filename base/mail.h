// Outgoing mail by SMTP, over libcurl.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace couplingd {

struct MailRequest {
  // smtps://USER:PASSWORD@HOST:PORT, or smtp:// where the server must take STARTTLS; user and
  // password may be missing. TLS 1.2 or newer, the certificate and host name verified.
  Secret url;
  bool without_tls = false;  // of smtp://: speaks in the clear, for a server on this machine
  std::string from;          // the envelope's addresses, each alone
  std::vector<std::string> to;
  std::string message;  // RFC 5322, lines ending in CRLF; dots are stuffed here
  std::chrono::milliseconds timeout{15000};
  std::string ca_file;  // empty: the system's
  std::vector<std::string>
      addresses;         // where set, the only IP addresses that the URL's host leads to
  std::stop_token stop;  // once requested, the exchange ends within about a second with kCancelled
};

struct MailAnswer {
  long code = 0;  // of the server's last reply; 250 or so where it took the message
  bool taken = false;
  std::string text;  // the server's last reply that was no success, or its last; raw bytes
};

// Every recipient gets the message, or an answer says otherwise: one that is refused for good (5xx)
// while others are welcome is left out, with the refusal in `text`. An Error (kUnavailable) means
// that there was no answer, or that TLS failed; its text never contains the URL. Thread-safe.
Result<MailAnswer> SendMail(const MailRequest& request);

}  // namespace couplingd
