#include "base/curl_call.h"

#include <fmt/format.h>

#include "base/http_client.h"

namespace couplingd {
namespace {

// Non-zero ends the transfer.
int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::stop_token*>(user)->stop_requested() ? 1 : 0;
}

}  // namespace

Result<CurlHandle> NewCurl() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  CurlHandle curl(ready == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup);
  if (!curl) return Fail(ErrorKind::kExhausted, "libcurl has no memory", "", true);
  return curl;
}

void ConfigureCurl(CURL* curl, const Secret& url, const std::string& ca_file,
                   std::chrono::milliseconds timeout, const std::stop_token& stop) {
  curl_easy_setopt(curl, CURLOPT_URL, url.Reveal().c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file.c_str());
    curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stop);
}

Result<CurlList> PinnedAddresses(const Secret& url, const std::vector<std::string>& addresses) {
  CurlList list(nullptr, curl_slist_free_all);
  if (addresses.empty()) return list;
  const UrlParts parts = TRY(ParseUrl(url));
  if (parts.host.find(':') != std::string::npos) return list;  // an IPv6 literal is its own address
  std::string entry = fmt::format("{}:{}:", parts.host, parts.port);
  for (const std::string& address : addresses) {
    if (!entry.ends_with(':')) entry += ',';
    entry += address.find(':') == std::string::npos ? address : fmt::format("[{}]", address);
  }
  list.reset(curl_slist_append(nullptr, entry.c_str()));
  return list;
}

}  // namespace couplingd
