// Where libtorch's exceptions end.
#pragma once

#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <exception>
#include <new>
#include <string_view>

#include "base/result.h"

namespace couplingd {

// libtorch's allocator of the CPU throws what any failed check throws.
inline bool IsOutOfMemory(const c10::Error& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         std::string_view(error.what_without_backtrace()).contains("DefaultCPUAllocator");
}

// Runs `work` (a Status without arguments) without recording gradients. What it throws becomes an
// error that begins with `what`, such as "the forward pass".
template <typename Work>
Status Guarded(std::string_view what, const Work& work) {
  try {
    const c10::InferenceMode inference;
    return work();
  } catch (const std::bad_alloc&) {
    return Fail(ErrorKind::kExhausted, fmt::format("{} ran out of memory", what),
                "lower the token budget");
  } catch (const c10::Error& error) {
    if (IsOutOfMemory(error)) {
      return Fail(ErrorKind::kExhausted,
                  fmt::format("{} ran out of memory: {}", what, error.what_without_backtrace()),
                  "lower the token budget");
    }
    return Fail(ErrorKind::kInternal,
                fmt::format("{} failed: {}", what, error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return Fail(ErrorKind::kInternal, fmt::format("{} failed: {}", what, error.what()));
  }
}

}  // namespace couplingd
