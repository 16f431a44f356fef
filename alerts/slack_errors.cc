#include "alerts/slack_errors.h"

#include <algorithm>
#include <iterator>
#include <span>

namespace couplingd {
namespace {

// docs.slack.dev: "Sending messages using incoming webhooks" and the methods chat.postMessage,
// chat.update, files.getUploadURLExternal and files.completeUploadExternal; and those seen in the
// field (msg_blocks_too_long; action_prohibited comes with 403 and with 500).
constexpr std::string_view kPermanent[] = {
    "access_denied",
    "account_inactive",
    "action_prohibited",
    "as_user_not_supported",
    "cannot_reply_to_message",
    "cant_update_message",
    "channel_is_archived",
    "channel_not_found",
    "channel_type_not_supported",
    "deprecated_endpoint",
    "duplicate_channel_not_found",
    "edit_window_closed",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "file_type_not_allowed",
    "invalid_arguments",
    "invalid_array_arg",
    "invalid_auth",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_channel",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "invalid_payload",
    "invalid_token",
    "is_archived",
    "markdown_text_conflict",
    "message_not_found",
    "messages_tab_disabled",
    "metadata_must_be_sent_from_app",
    "metadata_too_large",
    "method_deprecated",
    "missing_scope",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_active_hooks",
    "no_permission",
    "no_service",
    "no_service_id",
    "no_team",
    "no_text",
    "not_allowed_token_type",
    "not_authed",
    "not_in_channel",
    "org_login_required",
    "posting_to_general_channel_denied",
    "restricted_action",
    "restricted_action_non_threadable_channel",
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "restricted_action_thread_only_channel",
    "team_access_not_granted",
    "team_disabled",
    "team_not_found",
    "thread_not_found",
    "token_expired",
    "token_revoked",
    "too_many_attachments",
    "unknown_method",
    "user_not_found",
};
constexpr std::string_view kTemporary[] = {
    "external_channel_migrating",
    "fatal_error",
    "internal_error",
    "message_limit_exceeded",
    "rate_limited",
    "ratelimited",
    "request_timeout",
    "rollup_error",
    "service_unavailable",
    "team_added_to_org",
    "timeout",
    "update_failed",
};

struct Advice {
  std::string_view word, text;
};
constexpr Advice kAdvice[] = {
    {"account_inactive", "put the token of an app that is still installed into token_file"},
    {"cant_update_message", "the message is another app's"},
    {"channel_not_found",
     "write the channel's ID (C0123…), and invite the app where the channel is private"},
    {"invalid_auth", "put the bot token (xoxb-…) of the installed app into token_file"},
    {"is_archived", "name a channel that is in use"},
    {"missing_scope", "add the scope to the app and install it again"},
    {"not_authed", "put the bot token (xoxb-…) of the installed app into token_file"},
    {"not_in_channel", "invite the app to the channel"},
    {"token_expired", "put a token without rotation into token_file"},
    {"token_revoked", "install the app again and put its new token into token_file"},
};

bool IsAmong(std::string_view word, std::span<const std::string_view> list) {
  return std::ranges::find(list, word) != list.end();
}

}  // namespace

std::optional<DeliveryResult> SlackVerdict(std::string_view word) {
  if (IsAmong(word, kPermanent)) return DeliveryResult::kPermanent;
  if (IsAmong(word, kTemporary)) return DeliveryResult::kRetry;
  return std::nullopt;
}

std::string_view SlackAdvice(std::string_view word) {
  const auto found = std::ranges::find(kAdvice, word, &Advice::word);
  return found == std::end(kAdvice) ? std::string_view() : found->text;
}

bool IsSlackMessageGone(std::string_view word) {
  constexpr std::string_view kGone[] = {
      "cannot_reply_to_message",
      "channel_not_found",
      "is_archived",
      "message_not_found",
      "not_in_channel",
      "thread_not_found",
      "restricted_action_non_threadable_channel",
      "restricted_action_thread_locked",
  };
  return IsAmong(word, kGone);
}

bool IsSlackMessageFixed(std::string_view word) {
  return word == "cant_update_message" || word == "edit_window_closed";
}

}  // namespace couplingd
