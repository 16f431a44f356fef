// What Slack messages of one alert, of several and of a storm share. Internal to alerts/.
#pragma once

#include <string>
#include <vector>

#include "alerts/slack_message.h"

namespace couplingd {

// Each in its own file.
SlackMessage SlackMessageOfOne(const Notification& notification);
SlackMessage SlackMessageOfGroup(const Notification& notification);
SlackMessage SlackDigest(const Notification& notification);

// A sign for state and severity; the words beside it say the same.
std::string SlackMark(const AlertNews& news);

// "couplingctl alerts why 0123456789ab".
inline constexpr std::size_t kSlackKeyShown = 12;
std::string WhyCommand(const Alert& alert);
std::string AcknowledgeCommand(const Alert& alert);

// The first intervention's action; empty where the alert is over or there is none.
std::string FirstAction(const AlertNews& news);

// The gravest first: firing before resolved, then by severity; otherwise as they came.
std::vector<const AlertNews*> GravestFirst(const Notification& notification);

// "2 FIRING, 1 RESOLVED".
std::string CountsText(const std::vector<const AlertNews*>& news);

// One alert in one section of at most `limit` bytes (at least kLeastAlertSection): state, summary,
// numbers or description, what to do or why it is over, how to see all.
inline constexpr std::size_t kLeastAlertSection = 380;
std::string AlertSection(const AlertNews& news, std::size_t limit, bool with_action);

// "couplingd · rule … · delivery …", in a context block.
std::string SlackFooter(const std::string& about, const std::string& delivery_id);

// What of kSlackMessageLimit the fallback and these blocks leave.
std::size_t SlackRoom(const SlackMessage& message);

inline constexpr std::size_t kSlackFallbackLimit = 600;

}  // namespace couplingd
