// What every use of libcurl shares. Internal to base/.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace couplingd {

using CurlHandle = std::unique_ptr<CURL, void (*)(CURL*)>;
using CurlList = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

// kExhausted where there is no memory.
Result<CurlHandle> NewCurl();

// TLS 1.2 or newer with certificate and host name verified, whole exchange within the timeout, ends
// within about a second once `stop` (which outlives the call) is requested, no proxy, no signals.
void ConfigureCurl(CURL* curl, const Secret& url, const std::string& ca_file,
                   std::chrono::milliseconds timeout, const std::stop_token& stop);

// "host:port:address,address": what libcurl takes instead of asking DNS; null where nothing is
// pinned.
Result<CurlList> PinnedAddresses(const Secret& url, const std::vector<std::string>& addresses);

}  // namespace couplingd
