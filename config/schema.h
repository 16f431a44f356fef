// The means to describe a configuration: one row per key, which drives reading, validation, the
// list of known keys and the commented example. Tables stand in tables.cc; a new key is a new row
// there.
#pragma once

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/nearest.h"
#include "base/units.h"
#include "config/problems.h"

namespace couplingd {

// Where in the file a value is being read.
struct Scope {
  Problems& problems;
  std::string field;   // "runs[0].schedule"
  std::string folder;  // of the file: relative paths start here
  int line = 0;

  Scope At(const std::string& key, int at_line) const {
    return Placed(field.empty() ? key : field + "." + key, at_line);
  }
  Scope Item(std::size_t index, int at_line) const {
    return Placed(fmt::format("{}[{}]", field, index), at_line);
  }
  void Add(std::string cause, std::string hint = "") const {
    problems.Add(line, field, std::move(cause), std::move(hint));
  }

 private:
  Scope Placed(std::string inner, int at_line) const {
    problems.Place(inner, at_line);
    return {problems, std::move(inner), folder, at_line};
  }
};

// How the example is written: comments above keys, two blanks per level.
struct ExampleText {
  std::string text;
  int indent = 0;
  bool item_begins = false;  // the next key opens a list item: "- " stands before it
  bool comments = true;

  void Comment(std::string_view sentence);
  // "key: value", commented out where `live` is false; an empty value opens a section.
  void Line(std::string_view key, std::string_view value, bool live = true);
};

template <typename S>
struct Key {
  std::string_view name;
  std::string_view doc;  // a sentence or two
  std::function<void(const YAML::Node&, S&, const Scope&)> read = {};
  std::function<std::string(const S&)> show =
      {};  // the value as YAML; unset for sections and lists
  std::function<void(const S&, ExampleText&)> show_section = {};  // sections and lists
  bool required = false;
  std::vector<std::string_view> kinds = {};  // of the struct's `kind` that use this key; empty: all

  Key Required() && {
    required = true;
    return std::move(*this);
  }
  Key OnlyFor(std::vector<std::string_view> of) && {
    kinds = std::move(of);
    return std::move(*this);
  }
};

template <typename S>
struct Table {
  std::vector<Key<S>> keys;
  // Keys that are not known but expected, with what to write instead.
  std::vector<std::pair<std::string_view, std::string_view>> instead = {};
  // The struct's kind, where the table has keys that only some kinds use.
  std::function<std::string(const S&)> kind = {};
  // What a row cannot see: relations between keys of one struct. Runs where all rows could be read.
  std::function<void(const S&, const Scope&)> check = {};
};

// What a value must be, beyond its type: nullopt or the complaint (cause, hint).
using Complaint = std::optional<std::pair<std::string, std::string>>;
using TextCheck = std::function<Complaint(const std::string&)>;

// Scalars. Each adds a problem and gives nullopt where the value is of another type or out of
// range.
std::optional<std::string> ReadText(const YAML::Node& node, const Scope& scope);
std::optional<std::int64_t> ReadInteger(const YAML::Node& node, const Scope& scope,
                                        std::int64_t least, std::int64_t most);
std::optional<double> ReadNumber(const YAML::Node& node, const Scope& scope, double least,
                                 double most);
std::optional<bool> ReadFlag(const YAML::Node& node, const Scope& scope);
std::optional<double> ReadCount(const YAML::Node& node, const Scope& scope);
std::optional<std::uint64_t> ReadSize(const YAML::Node& node, const Scope& scope);
std::optional<std::chrono::milliseconds> ReadDuration(const YAML::Node& node, const Scope& scope);
std::optional<std::string> ReadChoice(const YAML::Node& node, const Scope& scope,
                                      const std::vector<std::string_view>& choices);
std::optional<std::string> ReadPath(const YAML::Node& node, const Scope& scope);
// A file's path or "credential:NAME". A value that looks like the secret itself is refused without
// being repeated.
std::optional<std::string> ReadSecretReference(const YAML::Node& node, const Scope& scope);
// A name: 1 to 100 printable characters without blanks at its ends.
std::optional<std::string> ReadName(const YAML::Node& node, const Scope& scope);
std::optional<std::vector<std::string>> ReadTexts(const YAML::Node& node, const Scope& scope);

int LineOf(const YAML::Node& node, int otherwise);
std::string ResolvePath(const std::string& path, const std::string& folder);

// YAML's spelling of a value, quoted where need be.
std::string ShowText(std::string_view text);
std::string ShowTexts(const std::vector<std::string>& texts);
std::string ShowNumber(double number);
std::string ShowSize(std::uint64_t bytes);

template <typename S>
void ReadObject(const YAML::Node& node, const Table<S>& table, S& into, const Scope& scope) {
  if (node.IsNull()) return;
  if (!node.IsMap()) {
    scope.Add("must be a mapping of keys", "write \"key: value\" lines below it");
    return;
  }
  std::set<std::string> given;
  std::vector<std::pair<const Key<S>*, int>> restricted;
  for (const auto& entry : node) {
    const int line = LineOf(entry.first, scope.line);
    const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "?";
    const Scope at = scope.At(name, line);
    const Key<S>* key = nullptr;
    std::vector<std::string_view> known;
    for (const Key<S>& row : table.keys) {
      known.push_back(row.name);
      if (row.name == name) key = &row;
    }
    if (!key) {
      std::string hint;
      for (const auto& [unknown, advice] : table.instead) {
        if (unknown == name) hint = advice;
      }
      if (hint.empty()) {
        const auto nearest = Nearest(name, known);
        hint = nearest ? fmt::format("did you mean \"{}\"?", *nearest)
                       : fmt::format("known here: {}", fmt::join(known, ", "));
      }
      at.Add("unknown key", hint);
      continue;
    }
    given.insert(name);
    if (!key->kinds.empty()) restricted.emplace_back(key, line);
    if (key->required && entry.second.IsScalar() && entry.second.Scalar().empty()) {
      at.Add("must not be empty", std::string(key->doc));
    }
    key->read(entry.second, into, scope.At(name, LineOf(entry.second, line)));
  }
  for (const Key<S>& row : table.keys) {
    if (row.required && !given.contains(std::string(row.name))) {
      scope.Add(fmt::format("the key \"{}\" is missing", row.name), std::string(row.doc));
    }
  }
  for (const auto& [key, line] : restricted) {
    const std::string kind = table.kind(into);
    if (!kind.empty() && std::ranges::find(key->kinds, kind) == key->kinds.end()) {
      scope.At(std::string(key->name), line)
          .Add(fmt::format("the kind {} does not use this key", kind),
               fmt::format("it belongs to {}", fmt::join(key->kinds, ", ")));
    }
  }
  if (table.check) table.check(into, scope);
}

template <typename S>
void ShowObject(const Table<S>& table, const S& value, ExampleText& out) {
  for (const Key<S>& key : table.keys) {
    const bool live =
        key.kinds.empty() || std::ranges::find(key.kinds, table.kind(value)) != key.kinds.end();
    if (!live && !out.comments) continue;
    out.Comment(key.doc);
    if (key.show) {
      out.Line(key.name, key.show(value), live);
    } else {
      key.show_section(value, out);
    }
  }
}

// Row makers. `member` is what the row fills.

template <typename S, typename T, typename Read, typename Show>
Key<S> MakeKey(std::string_view name, T S::*member, std::string_view doc, Read read, Show show) {
  return {.name = name,
          .doc = doc,
          .read =
              [member, read](const YAML::Node& node, S& into, const Scope& scope) {
                if (auto value = read(node, scope)) into.*member = std::move(*value);
              },
          .show = [member, show](const S& value) { return std::string(show(value.*member)); }};
}

template <typename S, typename T, typename Read, typename Show>
Key<S> MakeKey(std::string_view name, std::optional<T> S::*member, std::string_view doc, Read read,
               Show show) {
  return {.name = name,
          .doc = doc,
          .read =
              [member, read](const YAML::Node& node, S& into, const Scope& scope) {
                if (node.IsNull()) return;
                if (auto value = read(node, scope)) into.*member = static_cast<T>(*value);
              },
          .show = [member, show](
                      const S& value) { return value.*member ? show(*(value.*member)) : "null"; }};
}

template <typename S>
Key<S> TextKey(std::string_view name, std::string S::*member, std::string_view doc,
               TextCheck check = {}) {
  return MakeKey(
      name, member, doc,
      [check](const YAML::Node& node, const Scope& scope) {
        auto text = ReadText(node, scope);
        const Complaint complaint = text && check ? check(*text) : std::nullopt;
        if (complaint) {
          scope.Add(complaint->first, complaint->second);
          text.reset();
        }
        return text;
      },
      ShowText);
}

template <typename S>
Key<S> NameKey(std::string_view name, std::string S::*member, std::string_view doc) {
  return MakeKey(name, member, doc, ReadName, ShowText);
}
template <typename S>
Key<S> PathKey(std::string_view name, std::string S::*member, std::string_view doc) {
  return MakeKey(name, member, doc, ReadPath, ShowText);
}
template <typename S>
Key<S> SecretKey(std::string_view name, std::string S::*member, std::string_view doc) {
  return MakeKey(name, member, doc, ReadSecretReference, ShowText);
}
template <typename S>
Key<S> ChoiceKey(std::string_view name, std::string S::*member,
                 std::vector<std::string_view> choices, std::string_view doc) {
  return MakeKey(
      name, member, doc,
      [choices](const YAML::Node& node, const Scope& scope) {
        return ReadChoice(node, scope, choices);
      },
      ShowText);
}
// A choice whose words stand for the values of an enumeration.
template <typename S, typename T>
Key<S> EnumKey(std::string_view name, T S::*member,
               std::vector<std::pair<std::string_view, T>> words, std::string_view doc) {
  return MakeKey(
      name, member, doc,
      [words](const YAML::Node& node, const Scope& scope) -> std::optional<T> {
        std::vector<std::string_view> choices;
        for (const auto& [word, value] : words) choices.push_back(word);
        const auto chosen = ReadChoice(node, scope, choices);
        for (const auto& [word, value] : words) {
          if (chosen == word) return value;
        }
        return std::nullopt;
      },
      [words](T wanted) {
        for (const auto& [word, value] : words) {
          if (value == wanted) return std::string(word);
        }
        return std::string();
      });
}
template <typename S>
Key<S> FlagKey(std::string_view name, bool S::*member, std::string_view doc) {
  return MakeKey(name, member, doc, ReadFlag, [](bool flag) { return flag ? "true" : "false"; });
}
template <typename S>
Key<S> DurationKey(std::string_view name, std::chrono::milliseconds S::*member,
                   std::string_view doc, std::chrono::milliseconds least) {
  return MakeKey(
      name, member, doc,
      [least](const YAML::Node& node, const Scope& scope) {
        auto span = ReadDuration(node, scope);
        if (span && *span < least) {
          scope.Add(fmt::format("is shorter than {}", FormatDuration(least)));
          span.reset();
        }
        return span;
      },
      FormatDuration);
}

// Integers of any width, required or optional, within [least, most].
template <typename S, typename T>
Key<S> IntegerKey(std::string_view name, T S::*member, std::string_view doc, std::int64_t least,
                  std::int64_t most = std::numeric_limits<std::int32_t>::max()) {
  return MakeKey(
      name, member, doc,
      [least, most](const YAML::Node& node, const Scope& scope) {
        return ReadInteger(node, scope, least, most);
      },
      [](auto number) { return fmt::format("{}", number); });
}
template <typename S>
Key<S> NumberKey(std::string_view name, double S::*member, std::string_view doc, double least,
                 double most) {
  return MakeKey(
      name, member, doc,
      [least, most](const YAML::Node& node, const Scope& scope) {
        return ReadNumber(node, scope, least, most);
      },
      ShowNumber);
}
template <typename S>
Key<S> CountKey(std::string_view name, std::optional<double> S::*member, std::string_view doc) {
  return MakeKey(name, member, doc, ReadCount, ShowNumber);
}
template <typename S>
Key<S> SizeKey(std::string_view name, std::optional<std::uint64_t> S::*member,
               std::string_view doc) {
  return MakeKey(name, member, doc, ReadSize, ShowSize);
}
template <typename S>
Key<S> TextsKey(std::string_view name, std::vector<std::string> S::*member, std::string_view doc) {
  return MakeKey(name, member, doc, ReadTexts, ShowTexts);
}

template <typename S, typename T>
Key<S> SectionKey(std::string_view name, T S::*member, const Table<T>& (*table)(),
                  std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .read = [member, table](
                      const YAML::Node& node, S& into,
                      const Scope& scope) { ReadObject(node, table(), into.*member, scope); },
          .show_section =
              [name, member, table](const S& value, ExampleText& out) {
                out.Line(name, "");
                out.indent += 2;
                ShowObject(table(), value.*member, out);
                out.indent -= 2;
              }};
}

// A list of structs. The keys of the second item on are shown without their comments.
template <typename S, typename T>
Key<S> ListKey(std::string_view name, std::vector<T> S::*member, const Table<T>& (*table)(),
               std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .read =
              [member, table](const YAML::Node& node, S& into, const Scope& scope) {
                if (node.IsNull()) return;
                if (!node.IsSequence()) {
                  scope.Add("must be a list", "begin each entry with \"- \"");
                  return;
                }
                for (const YAML::Node& item : node) {
                  const std::size_t index = (into.*member).size();
                  T& entry = (into.*member).emplace_back();
                  ReadObject(item, table(), entry, scope.Item(index, LineOf(item, scope.line)));
                }
              },
          .show_section =
              [name, member, table](const S& value, ExampleText& out) {
                if ((value.*member).empty()) return out.Line(name, "[]");
                out.Line(name, "");
                out.indent += 4;
                const bool comments = out.comments;
                for (const T& item : value.*member) {
                  out.item_begins = true;
                  ShowObject(table(), item, out);
                  out.comments = false;
                }
                out.comments = comments;
                out.indent -= 4;
              }};
}

}  // namespace couplingd
