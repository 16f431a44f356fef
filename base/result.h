// Errors as values. Library exceptions are caught by the wrapper that calls the library and become
// an Error there; nothing else in the project throws.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace couplingd {

enum class ErrorKind {
  kUsage,        // the caller asked for something that makes no sense (exit code 64)
  kInvalidData,  // a file, field or frame is damaged or of the wrong kind (65)
  kNotFound,     // something named does not exist (65)
  kPermission,   // the operating system refused access (65)
  kUnsupported,  // well-formed, recognised, and outside what this program does (65)
  kVanished,     // it was there and was removed or rewritten while being used (65)
  kUnavailable,  // a peer or service cannot be reached (69)
  kExhausted,    // disk, memory, descriptors or a budget ran out (69)
  kConflict,     // someone else holds the lock or the state changed underneath (69)
  kCancelled,    // stopped on request (70)
  kInternal,     // a bug in this program (70)
};

std::string_view ToString(ErrorKind kind);

// The exit status of a program that ends with an error of this kind (design, point 15).
int ExitCode(ErrorKind kind);

// `message` says what failed and names the subject (file, field, run); `hint` says what to do about
// it. Neither ever contains a secret.
struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
  std::string hint;
  bool retryable = false;

  // "message (hint)", or the message alone where there is no hint.
  std::string Text() const;
  // The same error with "context: " before its message.
  Error Within(std::string_view context) const&;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

std::unexpected<Error> Fail(ErrorKind kind, std::string message, std::string hint = "",
                            bool retryable = false);

}  // namespace couplingd

// Evaluates to the value of a Result, or returns its error from the enclosing function.
#define TRY(...)                                                              \
  ({                                                                          \
    auto&& try_result_ = (__VA_ARGS__);                                       \
    if (!try_result_) return std::unexpected(std::move(try_result_).error()); \
    std::move(try_result_).value();                                           \
  })
