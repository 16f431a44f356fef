// Signatures of Standard Webhooks (github.com/standard-webhooks/standard-webhooks,
// spec/standard-webhooks.md): HMAC-SHA256 over "id.timestamp.body".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace couplingd {

// The keys of a secret: one "whsec_<base64 of 24 to 64 bytes>", or several separated by blanks
// while keys are rotated (each message then carries a signature for each). Errors do not contain
// the secret.
Result<std::vector<Secret>> ParseSigningKeys(const Secret& secret);

// The value of the header webhook-signature: "v1,<base64>" for each key, separated by blanks.
Result<std::string> SignatureHeader(const std::vector<Secret>& keys, std::string_view id,
                                    std::int64_t timestamp_seconds, std::string_view body);

}  // namespace couplingd
