// Where a sink's URL may lead. A configured URL that resolves to a private or local address would
// let whoever controls that name reach services inside the network, so such addresses have to be
// allowed by hand.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http_client.h"
#include "base/result.h"

namespace couplingd {

// All addresses of a host name, as texts. May block for as long as the system's resolver does.
using HostResolver = std::function<Result<std::vector<std::string>>(const std::string& host)>;
HostResolver SystemResolver();

enum class AddressClass {
  kPublic,
  kPrivate,    // loopback, RFC 1918, unique local, shared (100.64/10)
  kForbidden,  // link-local (cloud metadata), multicast, unspecified, reserved
};

// IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4) is judged as the IPv4 address. A text that is
// no address is kForbidden.
AddressClass ClassOf(const std::string& address);

// The addresses that may be connected to, which the request then pins, so that a name cannot change
// its mind in between. Public addresses need encryption (https, smtps, smtp with STARTTLS). Private
// ones need `allow_private`. One address that is not allowed refuses the host as a whole
// (kPermission); a name that does not resolve is kUnavailable. Texts name neither host nor URL.
Result<std::vector<std::string>> AllowedAddresses(const UrlParts& url, bool allow_private,
                                                  const HostResolver& resolve);

// What can be said without asking DNS: scheme (one of `schemes`, of which the first is advised),
// and the host where it is an address.
Status CheckUrl(const UrlParts& url, bool allow_private,
                const std::vector<std::string_view>& schemes = {"https", "http"});

// True for 127.0.0.0/8 and ::1, also as IPv4 inside IPv6.
bool IsLoopback(const std::string& address);

}  // namespace couplingd
