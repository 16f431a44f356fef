// What a Python pickle holds, as plain data. Nothing in it is ever called: a class stays a pair of
// names, and an object stays the record of what it would have been made from.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace couplingd {

enum class PickleKind {
  kNone,
  kBool,
  kInt,
  kLong,  // an integer beyond 64 bits
  kFloat,
  kString,
  kBytes,
  kList,
  kTuple,
  kDict,  // collections.OrderedDict too
  kSet,
  kGlobal,      // a class or function, by name
  kObject,      // what a class or function would have made
  kPersistent,  // a reference to something outside the pickle: a tensor's storage
};

struct PickleValue;
using PickleRef = const PickleValue*;  // owned by the PickleDocument; may form cycles

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  std::int64_t integer = 0;       // kBool: 0 or 1; kInt
  double number = 0;              // kFloat
  std::string_view text;          // kString (UTF-8), kBytes; kLong: little-endian two's complement;
                                  // kGlobal: the module
  std::string_view name;          // kGlobal
  PickleRef callable = nullptr;   // kObject
  PickleRef arguments = nullptr;  // kObject; kPersistent: the reference
  PickleRef state = nullptr;      // kObject, where BUILD gave one
  std::vector<PickleRef> elements;  // kList, kTuple, kSet, and of an object that is a list
  std::vector<std::pair<PickleRef, PickleRef>> items;  // kDict, and of an object that is a mapping

  bool Is(PickleKind wanted) const { return kind == wanted; }
};

// All of these take nullptr and then say no.
bool IsGlobal(PickleRef value, std::string_view module, std::string_view name);
bool IsString(PickleRef value, std::string_view text);

// The value at a string key of a dictionary or mapping; the last one where it stands twice. nullptr
// where there is none.
PickleRef FindItem(PickleRef mapping, std::string_view key);

// A field of an object, from the state that BUILD gave it (a dictionary, or a tuple of dictionary
// and slots). nullptr where there is none.
PickleRef FindAttribute(PickleRef object, std::string_view name);

// The class or function that made an object; nullptr for anything else.
PickleRef ClassOf(PickleRef object);

// Element of a tuple or list; nullptr beyond its end.
PickleRef ElementAt(PickleRef sequence, std::size_t index);

}  // namespace couplingd
