#include "alerts/mail_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <sstream>

namespace couplingd {
namespace {

constexpr std::size_t kMostSubject = 200;  // bytes
constexpr std::size_t kMostReferences = 20;

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string Runbook(const Finding& finding) {
  const auto found = finding.labels.find("runbook_url");
  return found == finding.labels.end() ? "" : found->second;
}

// The lines below an alert's summary, as pairs of a word and a text.
std::vector<std::pair<std::string, std::string>> Facts(const AlertNews& news) {
  const Alert& alert = news.alert;
  const Finding& finding = alert.finding;
  std::vector<std::pair<std::string, std::string>> facts;
  const auto add = [&](const std::string& word, const std::string& text) {
    if (!text.empty()) facts.emplace_back(word, text);
  };
  if (alert.state == AlertState::kResolved) add("Over", alert.resolution);
  add(alert.state == AlertState::kResolved ? "It was" : "Why", finding.description);
  for (const Intervention& intervention : finding.interventions) {
    add("Suggested", intervention.reason.empty() ? intervention.action
                                                 : intervention.action + " " + intervention.reason);
  }
  add("Since", FormatTime(alert.starts_at));
  if (alert.ends_at != 0) add("Until", FormatTime(alert.ends_at));
  add("Look", LookCommand(finding));
  add("Runbook", Runbook(finding));
  return facts;
}

std::string Title(const AlertNews& news) {
  return fmt::format("[{}] {}: {}", StateWord(news), ToString(news.alert.finding.severity),
                     news.alert.finding.summary);
}

std::string Counts(const std::vector<AlertNews>& news) {
  const auto over = std::ranges::count_if(
      news, [](const AlertNews& each) { return each.alert.state == AlertState::kResolved; });
  return fmt::format("{} firing, {} over", static_cast<std::ptrdiff_t>(news.size()) - over, over);
}

std::string Subject(const Notification& notification) {
  const std::vector<AlertNews>& news = notification.news;
  std::string text;
  if (notification.is_digest) {
    text = fmt::format("[DIGEST] {} alerts at once: {}", news.size(), Counts(news));
  } else if (news.size() > 1) {
    text = fmt::format("{} (and {} more; {})", Title(news.front()), news.size() - 1, Counts(news));
  } else {
    text = Title(news.front());
  }
  if (text.size() <= kMostSubject) return text;
  std::size_t end = kMostSubject;
  while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

std::string PlainText(const Notification& notification) {
  std::string text;
  if (notification.news.size() > 1) {
    text = fmt::format("{} alerts: {}.\n\n", notification.news.size(), Counts(notification.news));
  }
  for (const AlertNews& news : notification.news) {
    text += Title(news) + "\n";
    if (notification.is_digest) continue;
    for (const auto& [word, fact] : Facts(news)) text += fmt::format("  {}: {}\n", word, fact);
    text += "\n";
  }
  return text + fmt::format("-- \ncouplingd, delivery {}\n", notification.delivery_id);
}

std::string ChartId(const Notification& notification, std::size_t index) {
  return fmt::format("chart{}.{}", index, notification.delivery_id);
}

std::string Html(const Notification& notification) {
  std::string html =
      "<!DOCTYPE html>\n<html><body style=\"font-family: sans-serif; max-width: 45em\">\n";
  if (notification.news.size() > 1) {
    html +=
        fmt::format("<p>{} alerts: {}.</p>\n", notification.news.size(), Counts(notification.news));
  }
  for (std::size_t i = 0; i < notification.news.size(); ++i) {
    const AlertNews& news = notification.news[i];
    const bool over = news.alert.state == AlertState::kResolved;
    if (notification.is_digest) {
      html += fmt::format("<p style=\"margin: 0.2em 0\">{}</p>\n", Escape(Title(news)));
      continue;
    }
    html += fmt::format("<h3 style=\"color: {}\">{}</h3>\n", over ? "#2a7a3f" : "#b3261e",
                        Escape(Title(news)));
    if (!news.chart_png.empty()) {
      html +=
          fmt::format("<p><img src=\"cid:{}\" alt=\"its course\" style=\"max-width: 100%\"></p>\n",
                      ChartId(notification, i));
    }
    html += "<table cellpadding=\"4\">\n";
    for (const auto& [word, fact] : Facts(news)) {
      html += fmt::format("<tr><td valign=\"top\"><b>{}</b></td><td>{}</td></tr>\n", word,
                          Escape(fact));
    }
    html += "</table>\n";
  }
  return html + fmt::format("<p style=\"color: #777\">couplingd, delivery {}</p>\n</body></html>\n",
                            Escape(notification.delivery_id));
}

std::string DateText(UnixMillis now) {
  constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = now / 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{}, {} {} {} {:02}:{:02}:{:02} +0000", kDays[utc.tm_wday], utc.tm_mday,
                     kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

// The message ids that the news' alerts were told in before, in order, each once.
std::vector<std::string> References(const Notification& notification) {
  std::vector<std::string> ids;
  for (const AlertNews& news : notification.news) {
    std::istringstream words(news.receipt);
    for (std::string id; words >> id && ids.size() < kMostReferences;) {
      if (std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
    }
  }
  return ids;
}

std::string LastWord(const std::string& text) {
  const std::size_t blank = text.rfind(' ');
  return blank == std::string::npos ? text : text.substr(blank + 1);
}

struct Part {
  std::string headers;
  std::string body;
};

Part TextPart(std::string_view type, std::string_view text) {
  return {fmt::format("Content-Type: {}; charset=utf-8\r\n"
                      "Content-Transfer-Encoding: quoted-printable\r\n",
                      type),
          QuotedPrintable(text)};
}

Part ChartPart(const std::string& id, std::size_t index, std::string_view png) {
  return {
      fmt::format("Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n"
                  "Content-ID: <{}>\r\nContent-Disposition: inline; filename=\"chart{}.png\"\r\n",
                  id, index),
      Base64Lines(png)};
}

Part Multipart(std::string_view kind, const std::string& boundary, const std::vector<Part>& parts) {
  Part whole{fmt::format("Content-Type: multipart/{};\r\n boundary=\"{}\"\r\n", kind, boundary),
             ""};
  for (const Part& part : parts) {
    whole.body += fmt::format("--{}\r\n{}\r\n{}\r\n", boundary, part.headers, part.body);
  }
  whole.body += fmt::format("--{}--\r\n", boundary);
  return whole;
}

// "=_" stands in no quoted-printable and no base64 text, so no boundary occurs within a part.
Part Body(const Notification& notification) {
  const std::string boundary = "=_" + notification.delivery_id;
  std::vector<Part> related = {TextPart("text/html", Html(notification))};
  for (std::size_t i = 0; i < notification.news.size(); ++i) {
    const std::string& png = notification.news[i].chart_png;
    if (png.empty() || notification.is_digest) continue;
    related.push_back(ChartPart(ChartId(notification, i), i + 1, png));
  }
  const Part html =
      related.size() == 1 ? related[0] : Multipart("related", boundary + "r", related);
  return Multipart("alternative", boundary + "a",
                   {TextPart("text/plain", PlainText(notification)), html});
}

}  // namespace

Mail RenderMail(const Notification& notification, const std::string& from,
                const std::vector<std::string>& to, UnixMillis now) {
  const std::string id =
      fmt::format("<{}@{}>", notification.delivery_id, from.substr(from.rfind('@') + 1));
  const std::vector<std::string> references = References(notification);
  std::string headers = fmt::format("Date: {}\r\nFrom: couplingd <{}>\r\nTo: {}\r\n", DateText(now),
                                    from, fmt::join(to, ",\r\n "));
  headers += fmt::format("Message-ID: {}\r\n", id);
  if (!references.empty()) {
    const auto told = std::ranges::find_if(
        notification.news, [](const AlertNews& news) { return !news.receipt.empty(); });
    headers += fmt::format("In-Reply-To: {}\r\nReferences: {}\r\n", LastWord(told->receipt),
                           fmt::join(references, "\r\n "));
  }
  constexpr std::string_view kSubject = "Subject: ";
  headers +=
      fmt::format("{}{}\r\n", kSubject, MailHeaderText(Subject(notification), kSubject.size()));
  headers += "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
  const Part body = Body(notification);
  Mail mail{headers + body.headers + "\r\n" + body.body, id};
  if (!references.empty()) mail.thread = references.front() + " " + id;
  return mail;
}

}  // namespace couplingd
