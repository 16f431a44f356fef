// The words by which Slack says what became of a message: in the body of an incoming webhook, in
// the "error" of the Web API. Internal to alerts/.
#pragma once

#include <optional>
#include <string_view>

#include "alerts/sink.h"

namespace couplingd {

// kRetry or kPermanent; nullopt for a word that is not known.
std::optional<DeliveryResult> SlackVerdict(std::string_view word);

// What the operator can do about it; empty where nothing is known to help.
std::string_view SlackAdvice(std::string_view word);

// The message or thread that was to be changed is not there (any more), or its channel is not: the
// news needs a message of its own.
bool IsSlackMessageGone(std::string_view word);

// The message is there and must not be edited.
bool IsSlackMessageFixed(std::string_view word);

}  // namespace couplingd
