// Alerts as mail: RFC 5322 and MIME. Internal to alerts/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alerts/message.h"
#include "base/clock.h"

namespace couplingd {

struct Mail {
  std::string message;  // headers and body, lines ending in CRLF, pure ASCII
  // The message ids that later mail about the same alerts refers to, the incident's first in front.
  std::string thread;
};

// Plain text and HTML that say the same, with the charts in the HTML. The message id comes from the
// delivery id, so it is the same on every attempt; mail about alerts that this sink was told of
// before answers that mail. `now` is the date. A digest is one line an alert.
Mail RenderMail(const Notification& notification, const std::string& from,
                const std::vector<std::string>& to, UnixMillis now);

// A header's text: control characters become blanks; encoded after RFC 2047 and folded where it is
// not ASCII or longer than a line. `name_length` counts towards the first line.
std::string MailHeaderText(std::string_view text, std::size_t name_length);

// RFC 2045, with CRLF line ends, no line longer than 76, and no blank or dot where mail servers
// would change it.
std::string QuotedPrintable(std::string_view text);
std::string Base64Lines(std::string_view bytes);

}  // namespace couplingd
