#include "base/regex.h"

#include <fmt/format.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace couplingd {
namespace {

// One match may try this many steps; backtracking over a megabyte of blanks takes a million.
constexpr std::uint32_t kMatchLimit = 20'000'000;
constexpr std::uint32_t kDepthLimit = 10'000'000;
constexpr std::uint32_t kHeapLimitKiB = 512 << 10;

template <auto free_function>
struct Pcre2Free {
  template <typename T>
  void operator()(T* object) const {
    free_function(object);
  }
};
using Code = std::unique_ptr<pcre2_code, Pcre2Free<pcre2_code_free>>;
using CompileContext =
    std::unique_ptr<pcre2_compile_context, Pcre2Free<pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Pcre2Free<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Pcre2Free<pcre2_match_data_free>>;

std::string Pcre2Message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof(buffer));
  return reinterpret_cast<const char*>(buffer);
}

std::unexpected<Error> OutOfMemory() {
  return Fail(ErrorKind::kExhausted, "PCRE2 could not allocate memory");
}

}  // namespace

struct Regex::Compiled {
  std::string pattern;
  Code code;
  MatchContext limits;
  bool has_jit = false;

  // The number of captures, or a negative PCRE2 error. Deep backtracking overflows the fixed stack
  // of compiled code; the interpreter then takes over with memory up to the heap limit.
  int Match(std::string_view text, std::size_t start, pcre2_match_data* data) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int result = PCRE2_ERROR_JIT_STACKLIMIT;
    if (has_jit) {
      result = pcre2_jit_match(code.get(), subject, text.size(), start, PCRE2_NO_UTF_CHECK, data,
                               limits.get());
    }
    if (result != PCRE2_ERROR_JIT_STACKLIMIT) return result;
    return pcre2_match(code.get(), subject, text.size(), start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                       data, limits.get());
  }

  std::unexpected<Error> MatchError(int code) const {
    const bool is_limit = code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_DEPTHLIMIT ||
                          code == PCRE2_ERROR_HEAPLIMIT || code == PCRE2_ERROR_NOMEMORY;
    return Fail(
        is_limit ? ErrorKind::kExhausted : ErrorKind::kInternal,
        fmt::format("the regex \"{}\" could not be matched: {}", pattern, Pcre2Message(code)),
        is_limit ? "the pattern backtracks too much on this text" : "");
  }
};

Regex::Regex(std::unique_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::Compile(std::string_view pattern) {
  auto compiled = std::make_unique<Compiled>();
  compiled->pattern = pattern;
  const CompileContext context(pcre2_compile_context_create(nullptr));
  if (!context) return OutOfMemory();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int code = 0;
  PCRE2_SIZE offset = 0;
  compiled->code.reset(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code,
                    &offset, context.get()));
  if (!compiled->code) {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("the regex \"{}\" cannot be used: {} (at byte {})", pattern,
                            Pcre2Message(code), offset));
  }
  compiled->has_jit = pcre2_jit_compile(compiled->code.get(), PCRE2_JIT_COMPLETE) == 0;
  compiled->limits.reset(pcre2_match_context_create(nullptr));
  if (!compiled->limits) return OutOfMemory();
  pcre2_set_match_limit(compiled->limits.get(), kMatchLimit);
  pcre2_set_depth_limit(compiled->limits.get(), kDepthLimit);
  pcre2_set_heap_limit(compiled->limits.get(), kHeapLimitKiB);
  return Regex(std::move(compiled));
}

Result<std::vector<TextSpan>> Regex::FindAll(std::string_view text) const {
  if (text.empty()) text = "";  // PCRE2 wants a pointer even to nothing.
  std::vector<TextSpan> matches;
  const MatchData data(pcre2_match_data_create(1, nullptr));
  if (!data) return OutOfMemory();
  std::size_t start = 0;
  while (start <= text.size()) {
    const int result = compiled_->Match(text, start, data.get());
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) return compiled_->MatchError(result);
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
    const TextSpan match{ends[0], ends[1]};
    const bool repeats = match.empty() && !matches.empty() && matches.back().end == match.end;
    if (!repeats) {
      matches.push_back(match);
      start = match.end;
      continue;
    }
    do {
      ++start;
    } while (start < text.size() && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80);
  }
  return matches;
}

}  // namespace couplingd
