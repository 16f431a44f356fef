#include "base/mail.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/curl_call.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostReplyBytes = 4096;

struct Sending {
  std::string_view rest;
  std::string refusal;  // the last reply of 400 or more
  std::string reply;    // the last reply
};

std::size_t OnRead(char* into, std::size_t size, std::size_t count, void* user) {
  std::string_view& rest = static_cast<Sending*>(user)->rest;
  const std::size_t bytes = std::min(size * count, rest.size());
  std::memcpy(into, rest.data(), bytes);
  rest.remove_prefix(bytes);
  return bytes;
}

// libcurl hands every line of the server to the header function.
std::size_t OnReply(char* data, std::size_t size, std::size_t count, void* user) {
  Sending& sending = *static_cast<Sending*>(user);
  const std::string_view line(data, std::min(size * count, kMostReplyBytes));
  sending.reply = line;
  if (line.starts_with('4') || line.starts_with('5')) sending.refusal = line;
  return size * count;
}

std::size_t OnBody(char*, std::size_t size, std::size_t count, void*) { return size * count; }

CurlList Recipients(const std::vector<std::string>& to) {
  curl_slist* list = nullptr;
  for (const std::string& address : to) {
    list = curl_slist_append(list, fmt::format("<{}>", address).c_str());
  }
  return CurlList(list, curl_slist_free_all);
}

// With `leave_out`, recipients that the server refuses do not end the exchange while others remain.
Result<MailAnswer> Exchange(const MailRequest& request, milliseconds timeout, bool leave_out) {
  const CurlHandle handle = TRY(NewCurl());
  CURL* curl = handle.get();
  const CurlList pinned = TRY(PinnedAddresses(request.url, request.addresses));
  const CurlList recipients = Recipients(request.to);
  const std::string from = fmt::format("<{}>", request.from);
  Sending sending{request.message, "", ""};
  ConfigureCurl(curl, request.url, request.ca_file, timeout, request.stop);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(curl, CURLOPT_USE_SSL,
                   static_cast<long>(request.without_tls ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  if (pinned) curl_easy_setopt(curl, CURLOPT_RESOLVE, pinned.get());
  curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from.c_str());
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients.get());
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, leave_out ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, OnRead);
  curl_easy_setopt(curl, CURLOPT_READDATA, &sending);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnReply);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &sending);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
  const CURLcode code = curl_easy_perform(curl);
  MailAnswer answer;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.code);
  answer.taken = code == CURLE_OK;
  answer.text = sending.refusal.empty() ? sending.reply : sending.refusal;
  if (answer.taken || answer.code >= 400) return answer;
  if (request.stop.stop_requested()) {
    return Fail(ErrorKind::kCancelled, "the exchange was stopped");
  }
  return Fail(ErrorKind::kUnavailable, fmt::format("no answer: {}", curl_easy_strerror(code)), "",
              true);
}

}  // namespace

Result<MailAnswer> SendMail(const MailRequest& request) {
  const auto begin = std::chrono::steady_clock::now();
  Result<MailAnswer> answer = Exchange(request, request.timeout, false);
  const bool refused_for_good = answer && !answer->taken && answer->code >= 500;
  if (!refused_for_good || request.to.size() < 2) return answer;
  const milliseconds left = request.timeout - std::chrono::duration_cast<milliseconds>(
                                                  std::chrono::steady_clock::now() - begin);
  if (left <= milliseconds(0)) return answer;
  return Exchange(request, left, true);
}

}  // namespace couplingd
