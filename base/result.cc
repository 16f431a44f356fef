#include "base/result.h"

namespace couplingd {

std::string_view ToString(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
      return "usage";
    case ErrorKind::kInvalidData:
      return "invalid_data";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kPermission:
      return "permission";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kVanished:
      return "vanished";
    case ErrorKind::kUnavailable:
      return "unavailable";
    case ErrorKind::kExhausted:
      return "exhausted";
    case ErrorKind::kConflict:
      return "conflict";
    case ErrorKind::kCancelled:
      return "cancelled";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "internal";
}

int ExitCode(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
      return 64;
    case ErrorKind::kInvalidData:
    case ErrorKind::kNotFound:
    case ErrorKind::kPermission:
    case ErrorKind::kUnsupported:
    case ErrorKind::kVanished:
      return 65;
    case ErrorKind::kUnavailable:
    case ErrorKind::kExhausted:
    case ErrorKind::kConflict:
      return 69;
    case ErrorKind::kCancelled:
    case ErrorKind::kInternal:
      return 70;
  }
  return 70;
}

std::string Error::Text() const { return hint.empty() ? message : message + " (" + hint + ")"; }

Error Error::Within(std::string_view context) const& {
  Error outer = *this;
  outer.message = std::string(context) + ": " + message;
  return outer;
}

std::unexpected<Error> Fail(ErrorKind kind, std::string message, std::string hint, bool retryable) {
  return std::unexpected(Error{kind, std::move(message), std::move(hint), retryable});
}

}  // namespace couplingd
