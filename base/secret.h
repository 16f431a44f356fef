// A text that must never be shown: it has no stream operator and no formatter, and prints redacted.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace couplingd {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  bool empty() const { return value_.empty(); }
  // For the one call that hands it to its peer.
  const std::string& Reveal() const { return value_; }
  std::string Redacted() const { return value_.empty() ? "" : "<redacted>"; }

 private:
  std::string value_;
};

// Reads a secret file: first line, surrounding whitespace removed, at most 64 KiB. A file that
// others may read or write (mode & 077) is refused, except below $CREDENTIALS_DIRECTORY.
Result<Secret> ReadSecretFile(const std::string& path);

// "credential:NAME" is a file of systemd's LoadCredential (below $CREDENTIALS_DIRECTORY), anything
// else a path; both are read with ReadSecretFile.
Result<Secret> ReadSecret(const std::string& reference);

// The same with every line that is not blank; at least one.
Result<std::vector<Secret>> ReadSecretLines(const std::string& reference);

}  // namespace couplingd
