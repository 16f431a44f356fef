#include "records/matcher.h"

#include <fmt/format.h>

#include <algorithm>

namespace couplingd {
namespace {

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string_view Unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return text;
  return text.substr(1, text.size() - 2);
}

bool IsLabelName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  });
}

}  // namespace

Result<Matcher> Matcher::Parse(std::string_view text) {
  const std::size_t at = text.find_first_of("=!");
  const std::string_view label = Trimmed(text.substr(0, at));
  if (at == std::string_view::npos || !IsLabelName(label)) {
    return Fail(ErrorKind::kUsage, fmt::format("\"{}\" is no condition on a label", text),
                "write label=value, label!=value, label=~regex or label!~regex");
  }
  const std::string_view operation = text.substr(at, 2);
  Matcher matcher;
  matcher.text_ = text;
  matcher.label_ = label;
  matcher.negated_ = operation.front() == '!';
  const bool is_regex = operation.ends_with('~');
  if (matcher.negated_ && !is_regex && operation != "!=") {
    return Fail(ErrorKind::kUsage, fmt::format("\"{}\": \"!\" begins no operator", text),
                "the operators are =, !=, =~ and !~");
  }
  const std::size_t length = is_regex || matcher.negated_ ? 2 : 1;
  matcher.value_ = Unquoted(Trimmed(text.substr(at + length)));
  if (!is_regex) return matcher;
  auto regex = Regex::Compile(fmt::format("\\A(?:{})\\z", matcher.value_));
  if (!regex) {
    return Fail(ErrorKind::kUsage, fmt::format("\"{}\": its regex cannot be compiled", text),
                "escape ( ) [ ] { } . * + ? | \\ with a backslash where they stand for themselves");
  }
  matcher.regex_ = std::make_shared<const Regex>(std::move(*regex));
  return matcher;
}

bool Matcher::Matches(const Labels& labels) const {
  const auto found = labels.find(label_);
  const std::string value = found == labels.end() ? "" : found->second;
  if (!regex_) return (value == value_) != negated_;
  const auto matches = regex_->FindAll(value);
  return matches && !matches->empty() != negated_;
}

bool MatchesAll(std::span<const Matcher> matchers, const Labels& labels) {
  return std::ranges::all_of(matchers, [&](const Matcher& each) { return each.Matches(labels); });
}

}  // namespace couplingd
