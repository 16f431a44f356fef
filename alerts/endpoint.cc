#include "alerts/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <iomanip>
#include <iterator>
#include <locale>
#include <sstream>

#include "base/base64.h"
#include "base/json.h"
#include "base/numbers.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kShortestSecret = 8;
constexpr std::size_t kMostBytesLooked = 16384;
constexpr milliseconds kLeastRetryAfter{1000};
constexpr milliseconds kMostRetryAfter{3600000};

// The parts of a URL after its scheme and, where there is a path, without its host.
void AddUrlParts(std::string_view url, std::vector<std::string>& needles) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return;
  url.remove_prefix(scheme + 3);
  const std::size_t path = url.find_first_of("/?#");
  const std::size_t user_end = url.substr(0, path).rfind('@');
  std::string text;
  if (user_end != std::string_view::npos) text = std::string(url.substr(0, user_end));
  if (path != std::string_view::npos) {
    needles.emplace_back(url.substr(path));
    text += url.substr(path);
  }
  constexpr std::string_view kSeparators = "/?#&=:;";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    needles.push_back(text.substr(at, end - at));
    at = end + 1;
  }
}

// The first kMostBytesLooked bytes with every needle replaced, also one that begins before that
// limit and ends after it.
std::string Redact(std::string_view bytes, const std::vector<std::string>& needles) {
  std::string text;
  for (std::size_t at = 0; at < std::min(bytes.size(), kMostBytesLooked);) {
    const auto needle = std::ranges::find_if(
        needles, [&](const std::string& each) { return bytes.substr(at).starts_with(each); });
    if (needle == needles.end()) {
      text += bytes[at++];
    } else {
      text += "<redacted>";
      at += needle->size();
    }
  }
  return text;
}

std::string FirstCharacters(const std::string& text, std::size_t most) {
  std::size_t characters = 0, at = 0;
  for (; at < text.size(); ++at) {
    const bool starts_character = (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80;
    if (starts_character && ++characters > most) break;
  }
  return at == text.size() ? text : text.substr(0, at) + "…";
}

// Runs of blanks and control characters (C0, DEL, C1, bidirectional and line separators) become one
// blank.
std::string Printable(std::string_view bytes) {
  const std::string valid = ToValidUtf8(bytes);
  std::string text;
  const auto blank = [&] {
    if (!text.empty() && text.back() != ' ') text += ' ';
  };
  for (std::size_t at = 0; at < valid.size();) {
    const unsigned char lead = static_cast<unsigned char>(valid[at]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const std::string_view character = std::string_view(valid).substr(at, length);
    at += length;
    const bool c1 = character >= "\xc2\x80" && character <= "\xc2\x9f";
    const bool separator = (character >= "\xe2\x80\xa8" && character <= "\xe2\x80\xae") ||
                           (character >= "\xe2\x81\xa6" && character <= "\xe2\x81\xa9");
    if (lead <= 0x20 || lead == 0x7f || c1 || separator) {
      blank();
    } else {
      text += character;
    }
  }
  if (text.ends_with(' ')) text.pop_back();
  return text;
}

// A proxy is the operator's own word: it may stand anywhere, but it is asked by HTTP.
Result<Secret> ReadProxy(const std::string& reference) {
  if (reference.empty()) return Secret();
  Secret proxy = TRY(ReadSecret(reference));
  const Result<UrlParts> parts = ParseUrl(proxy);
  if (!parts || (parts->scheme != "http" && parts->scheme != "https")) {
    return Fail(ErrorKind::kInvalidData, "the proxy's address cannot be understood",
                "write it whole, as in http://proxy.example:3128");
  }
  return proxy;
}

}  // namespace

Redactor::Redactor(const std::vector<Secret>& secrets) {
  for (const Secret& secret : secrets) {
    needles_.push_back(secret.Reveal());
    AddUrlParts(secret.Reveal(), needles_);
  }
  std::erase_if(needles_, [](const std::string& s) { return s.size() < kShortestSecret; });
  std::ranges::sort(needles_, std::ranges::greater{}, &std::string::size);
}

std::string Redactor::Clean(std::string_view bytes, std::size_t most) const {
  // The second time for what only its control characters had hidden.
  const std::string text = Redact(Printable(Redact(bytes, needles_)), needles_);
  return FirstCharacters(text, most);
}

std::vector<Secret> TravellingForms(const UrlParts& url) {
  const std::string &user = url.user.Reveal(), &password = url.password.Reveal();
  if (user.empty() && password.empty()) return {};
  const std::string zero(1, '\0');
  return {url.user,
          url.password,
          Secret(ToBase64(user)),
          Secret(ToBase64(password)),
          Secret(ToBase64(user + ":" + password)),           // HTTP Basic
          Secret(ToBase64(zero + user + zero + password))};  // SASL PLAIN
}

Endpoint::Endpoint(const SinkConfig& config, const SinkServices& services, Secret url,
                   UrlParts parts, Secret proxy, Redactor redactor)
    : config_(config),
      services_(services),
      url_(std::move(url)),
      parts_(std::move(parts)),
      proxy_(std::move(proxy)),
      redactor_(std::move(redactor)) {}

Result<Endpoint> Endpoint::Make(const SinkConfig& config, const SinkServices& services,
                                const std::vector<Secret>& further_secrets) {
  Secret url = TRY(ReadSecret(config.url_file));
  Result<Endpoint> endpoint = At(std::move(url), config, services, further_secrets);
  if (!endpoint) return std::unexpected(endpoint.error().Within(config.url_file));
  return endpoint;
}

Result<Endpoint> Endpoint::At(Secret url, const SinkConfig& config, const SinkServices& services,
                              const std::vector<Secret>& further_secrets) {
  UrlParts parts = TRY(ParseUrl(url));
  TRY(CheckUrl(parts, config.allow_private));
  Result<Secret> proxy = ReadProxy(config.proxy_file);
  if (!proxy) return std::unexpected(proxy.error().Within(config.proxy_file));
  if (!proxy->empty() && parts.scheme != "https" && !config.allow_private) {
    return Fail(ErrorKind::kPermission, "the URL would be called without encryption",
                "use https through a proxy");
  }
  std::vector<Secret> secrets = further_secrets;
  secrets.push_back(url);
  if (!proxy->empty()) {
    secrets.push_back(*proxy);
    std::ranges::move(TravellingForms(TRY(ParseUrl(*proxy))), std::back_inserter(secrets));
  }
  std::ranges::move(TravellingForms(parts), std::back_inserter(secrets));
  return Endpoint(config, services, std::move(url), std::move(parts), std::move(*proxy),
                  Redactor(secrets));
}

// Through a proxy it is the proxy that resolves names, so nothing can be checked or pinned here.
Result<std::vector<std::string>> Endpoint::Addresses() const {
  if (!proxy_.empty()) return std::vector<std::string>();
  return AllowedAddresses(parts_, config_.allow_private, services_.resolve);
}

std::variant<HttpResponse, DeliveryOutcome> Endpoint::Post(const std::string& body,
                                                           const Headers& headers,
                                                           std::stop_token stop) const {
  Headers all = headers;
  all.emplace_back("content-type", "application/json; charset=utf-8");
  return Send("POST", body, all, std::move(stop));
}

std::variant<HttpResponse, DeliveryOutcome> Endpoint::Send(const std::string& method,
                                                           const std::string& body,
                                                           const Headers& headers,
                                                           std::stop_token stop,
                                                           const SendOptions& options) const {
  Result<std::vector<std::string>> addresses = Addresses();
  if (!addresses) return NoAnswer(addresses.error());
  HttpRequest request;
  request.method = method;
  request.url = url_;
  request.headers = headers;
  request.body = body;
  request.timeout = options.timeout.value_or(config_.timeout);
  request.max_response_bytes = options.max_response_bytes;
  request.ca_file = config_.ca_file;
  request.addresses = std::move(*addresses);
  request.proxy = proxy_;
  request.stop = std::move(stop);
  Result<HttpResponse> response = services_.http.Send(request);
  if (!response) return NoAnswer(response.error());
  return std::move(*response);
}

DeliveryOutcome Endpoint::ByStatus(const HttpResponse& response) const {
  const long status = response.status;
  const bool later = status < 200 || status == 302 || status == 303 || status == 307 ||
                     status == 408 || status == 425 || status == 429 || status >= 500;
  if (status >= 200 && status < 300) return Outcome(DeliveryResult::kDelivered, response);
  return Outcome(later ? DeliveryResult::kRetry : DeliveryResult::kPermanent, response);
}

DeliveryOutcome Endpoint::Outcome(DeliveryResult result, const HttpResponse& response) const {
  DeliveryOutcome outcome;
  outcome.result = result;
  outcome.text = fmt::format("HTTP {}", response.status);
  if (response.status >= 300 && response.status < 400)
    outcome.text += " (redirects are not followed)";
  const std::string body = redactor_.Clean(response.body);
  if (!body.empty()) outcome.text += ": " + body;
  const std::string* retry_after = response.Header("retry-after");
  if (result == DeliveryResult::kRetry && retry_after) {
    outcome.retry_after = ParseRetryAfter(*retry_after, services_.clock.Now());
  }
  return outcome;
}

DeliveryOutcome NoAnswer(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kCancelled:
      return {DeliveryResult::kCancelled, std::nullopt, "stopped before the answer came"};
    case ErrorKind::kPermission:
    case ErrorKind::kInvalidData:
      return {DeliveryResult::kPermanent, std::nullopt, error.Text()};
    default:
      return {DeliveryResult::kRetry, std::nullopt, error.Text()};
  }
}

std::optional<milliseconds> ParseRetryAfter(const std::string& text, UnixMillis now) {
  if (const auto seconds = ParseNumber<double>(text); seconds && !std::isnan(*seconds)) {
    const double most = static_cast<double>(kMostRetryAfter.count()) / 1000;
    const double clamped = std::clamp(*seconds, 0.0, most);
    return std::max(kLeastRetryAfter, milliseconds(static_cast<std::int64_t>(clamped * 1000)));
  }
  std::istringstream stream(text);
  stream.imbue(std::locale::classic());
  std::tm date{};
  stream >> std::get_time(&date, "%a, %d %b %Y %H:%M:%S");
  if (stream.fail()) return std::nullopt;
  const milliseconds wait(static_cast<std::int64_t>(timegm(&date)) * 1000 - now);
  return std::clamp(wait, kLeastRetryAfter, kMostRetryAfter);
}

}  // namespace couplingd
