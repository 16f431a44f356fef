// Slack's published limits for messages, checked without the code that keeps them:
// docs.slack.dev/reference/block-kit (blocks and text objects), /reference/methods/chat.postMessage
// and /messaging/formatting-message-text, and the length of a whole message as slackapi/bolt-js
// issue 2509 gives it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace couplingd::testing {

struct CheckedMessage {
  std::vector<std::string> problems;  // what Slack would refuse or show wrongly; empty: nothing
  std::string header;                 // of the first block, if it is a header
  std::string fallback;
  std::vector<std::string> texts;  // of all blocks, in order

  std::string All() const;  // the texts, one a line
};

// `body` is what a webhook takes, or the arguments of chat.postMessage or chat.update.
CheckedMessage CheckSlackMessage(std::string_view body);

// How many alerts the message says it tells of: from its header, or 1 for a reply about one alert.
int AlertsTold(const CheckedMessage& message);

}  // namespace couplingd::testing
