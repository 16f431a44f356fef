#include "alerts/signature.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <optional>
#include <sstream>

#include "base/base64.h"

namespace couplingd {
namespace {

constexpr std::string_view kPrefix = "whsec_";
constexpr std::size_t kFewestBytes = 24;
constexpr std::size_t kMostBytes = 64;

}  // namespace

Result<std::vector<Secret>> ParseSigningKeys(const Secret& secret) {
  std::istringstream words(secret.Reveal());
  std::vector<Secret> keys;
  for (std::string word; words >> word;) {
    if (word.starts_with(kPrefix)) word.erase(0, kPrefix.size());
    const std::optional<std::string> bytes = FromBase64(word);
    if (!bytes || bytes->size() < kFewestBytes || bytes->size() > kMostBytes) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("signing secret {} is not the base64 of {} to {} bytes",
                              keys.size() + 1, kFewestBytes, kMostBytes),
                  "make one with: echo whsec_$(openssl rand -base64 32)");
    }
    keys.emplace_back(*bytes);
  }
  if (keys.empty()) return Fail(ErrorKind::kInvalidData, "there is no signing secret");
  return keys;
}

Result<std::string> SignatureHeader(const std::vector<Secret>& keys, std::string_view id,
                                    std::int64_t timestamp_seconds, std::string_view body) {
  const std::string content = fmt::format("{}.{}.{}", id, timestamp_seconds, body);
  std::string header;
  for (const Secret& key : keys) {
    std::array<char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (!HMAC(EVP_sha256(), key.Reveal().data(), static_cast<int>(key.Reveal().size()),
              reinterpret_cast<const unsigned char*>(content.data()), content.size(),
              reinterpret_cast<unsigned char*>(digest.data()), &size)) {
      return Fail(ErrorKind::kInternal, "OpenSSL cannot compute HMAC-SHA256");
    }
    header += fmt::format("{}v1,{}", header.empty() ? "" : " ",
                          ToBase64(std::string_view(digest.data(), size)));
  }
  return header;
}

}  // namespace couplingd
