#include "alerts/target.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <memory>
#include <span>

namespace couplingd {
namespace {

namespace ip = boost::asio::ip;

struct Block {
  std::uint32_t network;
  int bits;
  AddressClass address_class;
};

constexpr std::uint32_t V4(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// IANA's special-purpose registry, as far as it is not simply public.
constexpr Block kV4Blocks[] = {
    {V4(127, 0, 0, 0), 8, AddressClass::kPrivate},
    {V4(10, 0, 0, 0), 8, AddressClass::kPrivate},
    {V4(172, 16, 0, 0), 12, AddressClass::kPrivate},
    {V4(192, 168, 0, 0), 16, AddressClass::kPrivate},
    {V4(100, 64, 0, 0), 10, AddressClass::kPrivate},
    {V4(198, 18, 0, 0), 15, AddressClass::kPrivate},
    {V4(0, 0, 0, 0), 8, AddressClass::kForbidden},
    {V4(169, 254, 0, 0), 16, AddressClass::kForbidden},
    {V4(192, 0, 0, 0), 24, AddressClass::kForbidden},
    {V4(224, 0, 0, 0), 4, AddressClass::kForbidden},
    {V4(240, 0, 0, 0), 4, AddressClass::kForbidden},
};

AddressClass ClassOfV4(std::uint32_t address) {
  for (const Block& block : kV4Blocks) {
    if ((address ^ block.network) >> (32 - block.bits) == 0) return block.address_class;
  }
  return AddressClass::kPublic;
}

using V6Bytes = ip::address_v6::bytes_type;

std::uint32_t EmbeddedV4(const V6Bytes& bytes, std::size_t at) {
  return V4(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
}

bool StartsWith(const V6Bytes& bytes, std::initializer_list<int> prefix) {
  return std::ranges::equal(prefix, std::span(bytes).first(prefix.size()),
                            [](int a, unsigned char b) { return a == b; });
}

AddressClass ClassOfV6(const ip::address_v6& address) {
  const V6Bytes bytes = address.to_bytes();
  if (address.is_loopback()) return AddressClass::kPrivate;
  if (address.is_unspecified() || address.is_multicast()) return AddressClass::kForbidden;
  if (StartsWith(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}) ||
      StartsWith(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) ||
      StartsWith(bytes, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) {
    return ClassOfV4(EmbeddedV4(bytes, 12));
  }
  if (StartsWith(bytes, {0x20, 0x02})) return ClassOfV4(EmbeddedV4(bytes, 2));
  if ((bytes[0] & 0xfe) == 0xfc) return AddressClass::kPrivate;
  return (bytes[0] & 0xe0) == 0x20 ? AddressClass::kPublic : AddressClass::kForbidden;
}

bool IsEncrypted(const UrlParts& url) { return url.scheme != "http"; }

bool IsAddress(const std::string& host) {
  boost::system::error_code error;
  ip::make_address(host, error);
  return !error;
}

Status CheckAddress(const std::string& address, bool allow_private, bool encrypted) {
  switch (ClassOf(address)) {
    case AddressClass::kForbidden:
      return Fail(ErrorKind::kPermission,
                  "the URL leads to a link-local, multicast or reserved address",
                  "such addresses are never called");
    case AddressClass::kPrivate:
      if (allow_private) return {};
      return Fail(ErrorKind::kPermission, "the URL leads to a private or loopback address",
                  "set allow_private: true on the sink if that is meant");
    case AddressClass::kPublic:
      if (encrypted) return {};
      return Fail(ErrorKind::kPermission, "the URL would be called without encryption",
                  "use https; http is for private addresses only");
  }
  return {};
}

}  // namespace

HostResolver SystemResolver() {
  return [](const std::string& host) -> Result<std::vector<std::string>> {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int code = getaddrinfo(host.c_str(), nullptr, &hints, &found);
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
    if (code != 0) {
      return Fail(ErrorKind::kUnavailable,
                  fmt::format("the host name does not resolve: {}", gai_strerror(code)), "", true);
    }
    std::vector<std::string> addresses;
    for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
      std::array<char, NI_MAXHOST> text{};
      if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0) {
        addresses.emplace_back(text.data());
      }
    }
    return addresses;
  };
}

AddressClass ClassOf(const std::string& address) {
  boost::system::error_code error;
  const ip::address parsed = ip::make_address(address, error);
  if (error) return AddressClass::kForbidden;
  return parsed.is_v4() ? ClassOfV4(parsed.to_v4().to_uint()) : ClassOfV6(parsed.to_v6());
}

Result<std::vector<std::string>> AllowedAddresses(const UrlParts& url, bool allow_private,
                                                  const HostResolver& resolve) {
  std::vector<std::string> addresses;
  if (IsAddress(url.host)) {
    addresses.push_back(url.host);
  } else {
    addresses = TRY(resolve(url.host));
  }
  if (addresses.empty()) {
    return Fail(ErrorKind::kUnavailable, "the host name has no address", "", true);
  }
  for (const std::string& address : addresses) {
    TRY(CheckAddress(address, allow_private, IsEncrypted(url)));
  }
  return addresses;
}

Status CheckUrl(const UrlParts& url, bool allow_private,
                const std::vector<std::string_view>& schemes) {
  if (std::ranges::find(schemes, url.scheme) == schemes.end()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("the URL's scheme is \"{}\"", url.scheme),
                fmt::format("use {}", schemes.front()));
  }
  if (url.host.empty()) return Fail(ErrorKind::kInvalidData, "the URL has no host");
  if (!IsAddress(url.host)) return {};
  return CheckAddress(url.host, allow_private, IsEncrypted(url));
}

bool IsLoopback(const std::string& address) {
  boost::system::error_code error;
  const ip::address parsed = ip::make_address(address, error);
  if (error) return false;
  if (parsed.is_v6() && parsed.to_v6().is_v4_mapped()) {
    return ip::make_address_v4(ip::v4_mapped, parsed.to_v6()).is_loopback();
  }
  return parsed.is_loopback();
}

}  // namespace couplingd
