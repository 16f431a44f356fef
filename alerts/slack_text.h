// Texts and blocks as Slack takes them: escapes, limits and what a text costs. Costs are bytes of
// the serialized JSON, which are never fewer than the characters that Slack counts. Internal to
// alerts/.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace couplingd {

// As docs.slack.dev gives them for blocks; for a whole message Slack names 12,000 characters of
// text and refuses somewhat more, containers counted (slackapi/bolt-js issue 2509).
inline constexpr std::size_t kSlackHeaderLimit = 150;
inline constexpr std::size_t kSlackSectionLimit = 3000;
inline constexpr std::size_t kSlackMessageLimit = 12000;

// Mrkdwn that says the text and nothing else: &, < and > are escaped; invalid UTF-8 is replaced;
// control characters and those that turn the direction of writing become blanks, all but the line
// break. Where it costs more than the limit: its beginning and how many characters are missing.
std::string SlackClamp(std::string_view text, std::size_t limit);
std::string SlackEscape(std::string_view text);  // without a limit

// One line of plain text; where it costs more than the limit, its beginning and "…".
std::string SlackPlain(std::string_view text, std::size_t limit);
bool FitsSlackPlain(std::string_view text, std::size_t limit);

// The bytes that an escaped text takes in JSON, without its quotes.
std::size_t SlackCost(std::string_view escaped);

// A command in code type.
std::string SlackCode(std::string text, std::size_t limit);
// A link, or the text as it stands where it is none that can be written as one.
std::string SlackLink(std::string_view url, std::string_view name, std::size_t limit);
// A time in the reader's own zone; clients that cannot show it write UTC.
std::string SlackTime(UnixMillis time);

// Blocks, from escaped texts.
std::string SlackHeaderBlock(const std::string& plain);
std::string SlackSectionBlock(const std::string& mrkdwn);
std::string SlackContextBlock(const std::string& mrkdwn);

// An unescaped text as sections that together cost at most `budget` (at least kSlackLeastSections
// more than lead and where), split where a line or a word ends; `lead` (escaped) opens the first.
// What does not fit is counted in the last, with `where` (escaped) it can be read.
inline constexpr std::size_t kSlackLeastSections = 500;
std::vector<std::string> SlackSections(const std::string& lead, std::string_view text,
                                       std::size_t budget, std::string_view where);

}  // namespace couplingd
