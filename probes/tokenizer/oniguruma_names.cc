#include "probes/tokenizer/oniguruma_names.h"

#include <fmt/format.h>
#include <unicode/uchar.h>

#include <algorithm>

namespace couplingd {
namespace {

constexpr std::string_view kWordItems = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";

struct NamedSet {
  std::string_view name;  // lower case, without blanks, underscores and hyphens
  std::string_view items;
};

// Names that PCRE2 lacks or reads otherwise.
constexpr NamedSet kPropertySets[] = {
    {"alnum", R"(\p{Alphabetic}\p{Nd})"},
    {"alpha", R"(\p{Alphabetic})"},
    {"blank", R"(\p{Zs}\t)"},
    {"cntrl", R"(\p{Cc})"},
    {"digit", R"(\p{Nd})"},
    {"lower", R"(\p{Lowercase})"},
    {"punct", R"(\p{P})"},
    {"space", R"(\p{White_Space})"},
    {"upper", R"(\p{Uppercase})"},
    {"xdigit", "0-9A-Fa-f"},
    {"word", kWordItems},
    {"ascii", R"(\x{0}-\x{7f})"},
    {"other", R"(\p{C})"},
    {"control", R"(\p{Cc})"},
    {"format", R"(\p{Cf})"},
    {"unassigned", R"(\p{Cn})"},
    {"privateuse", R"(\p{Co})"},
    {"letter", R"(\p{L})"},
    {"lowercaseletter", R"(\p{Ll})"},
    {"modifierletter", R"(\p{Lm})"},
    {"otherletter", R"(\p{Lo})"},
    {"titlecaseletter", R"(\p{Lt})"},
    {"uppercaseletter", R"(\p{Lu})"},
    {"mark", R"(\p{M})"},
    {"spacingmark", R"(\p{Mc})"},
    {"enclosingmark", R"(\p{Me})"},
    {"nonspacingmark", R"(\p{Mn})"},
    {"number", R"(\p{N})"},
    {"decimalnumber", R"(\p{Nd})"},
    {"letternumber", R"(\p{Nl})"},
    {"othernumber", R"(\p{No})"},
    {"punctuation", R"(\p{P})"},
    {"connectorpunctuation", R"(\p{Pc})"},
    {"dashpunctuation", R"(\p{Pd})"},
    {"closepunctuation", R"(\p{Pe})"},
    {"finalpunctuation", R"(\p{Pf})"},
    {"initialpunctuation", R"(\p{Pi})"},
    {"otherpunctuation", R"(\p{Po})"},
    {"openpunctuation", R"(\p{Ps})"},
    {"symbol", R"(\p{S})"},
    {"currencysymbol", R"(\p{Sc})"},
    {"modifiersymbol", R"(\p{Sk})"},
    {"mathsymbol", R"(\p{Sm})"},
    {"othersymbol", R"(\p{So})"},
    {"separator", R"(\p{Z})"},
    {"lineseparator", R"(\p{Zl})"},
    {"paragraphseparator", R"(\p{Zp})"},
    {"spaceseparator", R"(\p{Zs})"},
};

// Sets that hold every case variant of their members.
constexpr std::string_view kClosedUnderCase[] = {
    "alnum",  "alpha",      "blank",      "cntrl",       "digit",     "punct",  "space",
    "word",   "xdigit",     "l",          "letter",      "n",         "number", "nd",
    "nl",     "no",         "p",          "punctuation", "pc",        "pd",     "pe",
    "pf",     "pi",         "po",         "ps",          "s",         "symbol", "sc",
    "sk",     "sm",         "so",         "z",           "separator", "zl",     "zp",
    "zs",     "han",        "hiragana",   "katakana",    "hangul",    "thai",   "arabic",
    "hebrew", "devanagari", "whitespace",
};

constexpr std::string_view kPosixNames[] = {"alnum", "alpha", "blank", "cntrl",  "digit", "lower",
                                            "punct", "space", "upper", "xdigit", "word",  "ascii"};

std::string CanonicalName(std::string_view name) {
  std::string canonical;
  for (const char c : name) {
    if (c == ' ' || c == '_' || c == '-') continue;
    canonical += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  return canonical;
}

std::optional<std::string_view> FindSet(std::string_view canonical) {
  for (const NamedSet& set : kPropertySets) {
    if (set.name == canonical) return set.items;
  }
  return std::nullopt;
}

}  // namespace

std::string WordItems(bool in_brackets) {
  return fmt::format("{}{}", kWordItems, in_brackets ? "" : R"(\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})");
}

bool IsClosedUnderCase(std::string_view name) {
  return std::ranges::find(kClosedUnderCase, CanonicalName(name)) != std::end(kClosedUnderCase);
}

std::optional<std::string> PropertyItems(std::string_view name, bool in_brackets) {
  const std::string canonical = CanonicalName(name);
  if (canonical == "word") return WordItems(in_brackets);
  if (const auto items = FindSet(canonical)) return std::string(*items);
  for (const char c : canonical) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) return std::nullopt;
  }
  const bool is_script =
      u_getPropertyValueEnum(UCHAR_SCRIPT, canonical.c_str()) != UCHAR_INVALID_CODE;
  return fmt::format("\\p{{{}{}}}", is_script ? "sc:" : "", canonical);
}

std::optional<std::string_view> PosixItems(std::string_view name) {
  if (name == "punct") return R"(\p{P}\p{S})";
  if (std::ranges::find(kPosixNames, name) == std::end(kPosixNames)) return std::nullopt;
  return FindSet(name);
}

}  // namespace couplingd
