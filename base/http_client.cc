#include "base/http_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/curl_call.h"
#include "base/numbers.h"

namespace couplingd {
namespace {

struct Receiving {
  HttpResponse response;
  std::size_t limit = 0;
};

std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* user) {
  auto& receiving = *static_cast<Receiving*>(user);
  std::string& body = receiving.response.body;
  const std::size_t bytes = size * count;
  const std::size_t room = receiving.limit - std::min(receiving.limit, body.size());
  body.append(data, std::min(room, bytes));
  if (bytes <= room) return bytes;
  receiving.response.truncated = true;
  return 0;
}

std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* user) {
  auto& response = static_cast<Receiving*>(user)->response;
  const std::string_view line(data, size * count);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || response.headers.size() >= 256) return size * count;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  const std::size_t begin = value.find_first_not_of(" \t\r\n");
  value = begin == std::string_view::npos
              ? std::string_view()
              : value.substr(begin, value.find_last_not_of(" \t\r\n") - begin + 1);
  response.headers.emplace_back(std::move(name), value);
  return size * count;
}

class CurlHttpClient final : public HttpClient {
 public:
  Result<HttpResponse> Send(const HttpRequest& request) override {
    const CurlHandle curl = TRY(NewCurl());
    Receiving receiving;
    receiving.limit = request.max_response_bytes;
    curl_slist* raw_headers = nullptr;
    for (const auto& [name, value] : request.headers) {
      raw_headers = curl_slist_append(raw_headers, fmt::format("{}: {}", name, value).c_str());
    }
    raw_headers = curl_slist_append(raw_headers, "Expect:");
    const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(raw_headers,
                                                                     curl_slist_free_all);
    const CurlList pinned = TRY(PinnedAddresses(request.url, request.addresses));
    Configure(curl.get(), request, headers.get(), receiving);
    if (pinned) curl_easy_setopt(curl.get(), CURLOPT_RESOLVE, pinned.get());
    const CURLcode code = curl_easy_perform(curl.get());
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &receiving.response.status);
    if (code == CURLE_OK || receiving.response.truncated) return std::move(receiving.response);
    if (request.stop.stop_requested())
      return Fail(ErrorKind::kCancelled, "the exchange was stopped");
    return Fail(ErrorKind::kUnavailable, fmt::format("no answer: {}", curl_easy_strerror(code)), "",
                true);
  }

 private:
  static void Configure(CURL* curl, const HttpRequest& request, curl_slist* headers,
                        Receiving& receiving) {
    ConfigureCurl(curl, request.url, request.ca_file, request.timeout, request.stop);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    if (!request.unix_socket.empty()) {
      curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
    }
    curl_easy_setopt(curl, CURLOPT_PROXY, request.proxy.Reveal().c_str());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (request.method != "GET") {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
    }
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &receiving);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &receiving);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "couplingd");
  }
};

}  // namespace

const std::string* HttpResponse::Header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return &value;
  }
  return nullptr;
}

std::unique_ptr<HttpClient> MakeCurlHttpClient() { return std::make_unique<CurlHttpClient>(); }

Result<UrlParts> ParseUrl(const Secret& url) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parser(curl_url(), curl_url_cleanup);
  if (!parser || curl_url_set(parser.get(), CURLUPART_URL, url.Reveal().c_str(), 0) != CURLUE_OK) {
    return Fail(ErrorKind::kInvalidData, "the URL cannot be understood",
                "write it whole, as in https://host/path");
  }
  const auto part = [&](CURLUPart which, unsigned flags) -> std::string {
    char* text = nullptr;
    if (curl_url_get(parser.get(), which, &text, flags) != CURLUE_OK) return "";
    const std::unique_ptr<char, void (*)(void*)> owned(text, curl_free);
    return text;
  };
  UrlParts parts{part(CURLUPART_SCHEME, 0), part(CURLUPART_HOST, 0), 0};
  if (parts.host.starts_with('[')) parts.host = parts.host.substr(1, parts.host.size() - 2);
  const std::string port = part(CURLUPART_PORT, CURLU_DEFAULT_PORT);
  parts.port = ParseNumber<decltype(parts.port)>(port).value_or(0);
  parts.user = Secret(part(CURLUPART_USER, CURLU_URLDECODE));
  parts.password = Secret(part(CURLUPART_PASSWORD, CURLU_URLDECODE));
  return parts;
}

}  // namespace couplingd
