#include "config/schema.h"

#include <cmath>
#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "base/numbers.h"

namespace couplingd {
namespace {

constexpr std::size_t kLongestName = 100;

// The scalar's text; adds a problem for anything else. Strings may be empty, never null.
std::optional<std::string> Scalar(const YAML::Node& node, const Scope& scope,
                                  std::string_view wanted) {
  if (node.IsScalar()) return node.Scalar();
  if (node.IsNull()) {
    scope.Add(fmt::format("has no value, {} is needed", wanted),
              "write a value after the colon, or take the key out");
  } else {
    scope.Add(fmt::format("must be {}, not a {}", wanted, node.IsMap() ? "mapping" : "list"));
  }
  return std::nullopt;
}

template <typename T>
std::optional<T> Taken(Result<T> parsed, const Scope& scope) {
  if (parsed) return *parsed;
  scope.Add(parsed.error().message, parsed.error().hint);
  return std::nullopt;
}

bool HasControlCharacter(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool LooksLikeNumberOrWord(std::string_view text) {
  static constexpr std::string_view kWords[] = {"null", "Null",  "NULL",  "true",  "True",
                                                "TRUE", "false", "False", "FALSE", "yes",
                                                "no",   "on",    "off"};
  return std::ranges::find(kWords, text) != std::end(kWords) || ParseNumber<double>(text);
}

}  // namespace

void ExampleText::Comment(std::string_view sentence) {
  if (!comments) return;
  constexpr std::size_t kWidth = 110;
  const std::string lead(static_cast<std::size_t>(indent), ' ');
  while (!sentence.empty()) {
    std::size_t length = sentence.size();
    if (length + lead.size() + 2 > kWidth) {
      length = sentence.rfind(' ', kWidth - lead.size() - 2);
      if (length == std::string_view::npos) length = sentence.size();
    }
    text += fmt::format("{}# {}\n", lead, sentence.substr(0, length));
    sentence.remove_prefix(std::min(length + 1, sentence.size()));
  }
}

void ExampleText::Line(std::string_view key, std::string_view value, bool live) {
  std::string lead(static_cast<std::size_t>(indent), ' ');
  if (item_begins && live) {
    lead.replace(lead.size() - 2, 2, "- ");
    item_begins = false;
  }
  text +=
      fmt::format("{}{}{}:{}{}\n", lead, live ? "" : "# ", key, value.empty() ? "" : " ", value);
}

std::optional<std::string> ReadText(const YAML::Node& node, const Scope& scope) {
  std::optional<std::string> text = Scalar(node, scope, "a text");
  if (text && HasControlCharacter(*text)) {
    scope.Add("contains a control character");
    return std::nullopt;
  }
  return text;
}

std::optional<std::int64_t> ReadInteger(const YAML::Node& node, const Scope& scope,
                                        std::int64_t least, std::int64_t most) {
  const auto text = Scalar(node, scope, "a whole number");
  if (!text) return std::nullopt;
  const auto number = ParseNumber<std::int64_t>(*text);
  if (!number) {
    scope.Add(fmt::format("\"{}\" is not a whole number", *text));
  } else if (*number < least || *number > most) {
    scope.Add(fmt::format("{} is outside {} to {}", *number, least, most));
  } else {
    return number;
  }
  return std::nullopt;
}

std::optional<double> ReadNumber(const YAML::Node& node, const Scope& scope, double least,
                                 double most) {
  const auto text = Scalar(node, scope, "a number");
  if (!text) return std::nullopt;
  const auto number = ParseNumber<double>(*text);
  if (!number || !std::isfinite(*number)) {
    scope.Add(fmt::format("\"{}\" is not a number", *text));
  } else if (*number < least || *number > most) {
    scope.Add(fmt::format("{} is outside {} to {}", *number, least, most));
  } else {
    return number;
  }
  return std::nullopt;
}

std::optional<bool> ReadFlag(const YAML::Node& node, const Scope& scope) {
  const auto text = ReadChoice(node, scope, {"true", "false"});
  return text ? std::optional(*text == "true") : std::nullopt;
}

std::optional<double> ReadCount(const YAML::Node& node, const Scope& scope) {
  const auto text = Scalar(node, scope, "a count such as 1.4B");
  const auto count = text ? Taken(ParseCount(*text), scope) : std::nullopt;
  if (count && !(*count > 0 && *count < 1e18)) {
    scope.Add(fmt::format("{} is outside 1 to 1e18", *count));
    return std::nullopt;
  }
  return count;
}

std::optional<std::uint64_t> ReadSize(const YAML::Node& node, const Scope& scope) {
  const auto text = Scalar(node, scope, "a size such as 8GiB");
  return text ? Taken(ParseSize(*text), scope) : std::nullopt;
}

std::optional<std::chrono::milliseconds> ReadDuration(const YAML::Node& node, const Scope& scope) {
  const auto text = Scalar(node, scope, "a duration such as 30s");
  return text ? Taken(ParseDuration(*text), scope) : std::nullopt;
}

std::optional<std::string> ReadChoice(const YAML::Node& node, const Scope& scope,
                                      const std::vector<std::string_view>& choices) {
  auto text = Scalar(node, scope, fmt::format("one of {}", fmt::join(choices, ", ")));
  if (!text || std::ranges::find(choices, *text) != choices.end()) return text;
  const auto nearest = Nearest(*text, choices);
  scope.Add(fmt::format("\"{}\" is not one of {}", *text, fmt::join(choices, ", ")),
            nearest ? fmt::format("did you mean {}?", *nearest) : "");
  return std::nullopt;
}

std::optional<std::string> ReadPath(const YAML::Node& node, const Scope& scope) {
  auto path = ReadText(node, scope);
  if (path && path->starts_with('~')) {
    scope.Add("\"~\" is not expanded in this file", "write the folder's absolute path");
    return std::nullopt;
  }
  if (path && !path->empty()) *path = ResolvePath(*path, scope.folder);
  return path;
}

std::optional<std::string> ReadSecretReference(const YAML::Node& node, const Scope& scope) {
  auto text = ReadText(node, scope);
  if (!text) return std::nullopt;
  const bool is_address = text->find("://") != std::string::npos;
  const bool is_token = text->starts_with("xoxb-") || text->starts_with("xoxp-") ||
                        text->starts_with("xapp-") || text->starts_with("whsec_");
  if (is_address || is_token) {
    scope.Add(fmt::format("holds the {} itself; secrets do not stand in this file",
                          is_address ? "address" : "secret"),
              "put it into a file of mode 0600 and write the file's path, or credential:NAME");
    return std::nullopt;
  }
  if (!text->empty() && !text->starts_with("credential:")) *text = ResolvePath(*text, scope.folder);
  return text;
}

std::optional<std::string> ReadName(const YAML::Node& node, const Scope& scope) {
  auto name = ReadText(node, scope);
  if (!name) return std::nullopt;
  if (name->empty() || name->size() > kLongestName || name->front() == ' ' || name->back() == ' ') {
    scope.Add(fmt::format("must have 1 to {} characters and no blanks at its ends", kLongestName));
    return std::nullopt;
  }
  return name;
}

std::optional<std::vector<std::string>> ReadTexts(const YAML::Node& node, const Scope& scope) {
  if (node.IsNull()) return std::vector<std::string>{};
  if (!node.IsSequence()) {
    scope.Add("must be a list", "begin each entry with \"- \", or write [a, b]");
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const YAML::Node& item : node) {
    const auto text = ReadText(item, scope.Item(texts.size(), LineOf(item, scope.line)));
    if (!text) return std::nullopt;
    texts.push_back(*text);
  }
  return texts;
}

int LineOf(const YAML::Node& node, int otherwise) {
  const YAML::Mark mark = node.Mark();
  return mark.is_null() ? otherwise : mark.line + 1;
}

std::string ResolvePath(const std::string& path, const std::string& folder) {
  std::string resolved = (std::filesystem::path(folder) / path).lexically_normal().string();
  while (resolved.size() > 1 && resolved.ends_with('/')) resolved.pop_back();
  return resolved;
}

std::string ShowText(std::string_view text) {
  const bool plain =
      !text.empty() && !LooksLikeNumberOrWord(text) &&
      std::ranges::all_of(text,
                          [](unsigned char c) {
                            return std::isalnum(c) ||
                                   std::string_view("_./-+:").find(static_cast<char>(c)) !=
                                       std::string_view::npos;
                          }) &&
      text.front() != '-' && text.front() != ':' && text.back() != ':';
  return plain ? std::string(text) : JsonWriter().Value(text).Text();
}

std::string ShowTexts(const std::vector<std::string>& texts) {
  std::vector<std::string> shown;
  for (const std::string& text : texts) shown.push_back(ShowText(text));
  return fmt::format("[{}]", fmt::join(shown, ", "));
}

std::string ShowNumber(double number) { return fmt::format("{}", number); }

std::string ShowSize(std::uint64_t bytes) {
  for (const auto& [unit, size] : {std::pair<const char*, std::uint64_t>{"TiB", 1ull << 40},
                                   {"GiB", 1ull << 30},
                                   {"MiB", 1ull << 20},
                                   {"KiB", 1ull << 10}}) {
    if (bytes >= size && bytes % size == 0) return fmt::format("{}{}", bytes / size, unit);
  }
  return fmt::format("{}B", bytes);
}

}  // namespace couplingd
