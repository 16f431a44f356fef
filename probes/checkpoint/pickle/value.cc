#include "probes/checkpoint/pickle/value.h"

#include <algorithm>

namespace couplingd {

bool IsGlobal(PickleRef value, std::string_view module, std::string_view name) {
  return value && value->Is(PickleKind::kGlobal) && value->text == module && value->name == name;
}

bool IsString(PickleRef value, std::string_view text) {
  return value && value->Is(PickleKind::kString) && value->text == text;
}

PickleRef FindItem(PickleRef mapping, std::string_view key) {
  if (!mapping) return nullptr;
  const auto found = std::find_if(mapping->items.rbegin(), mapping->items.rend(),
                                  [&](const auto& item) { return IsString(item.first, key); });
  return found == mapping->items.rend() ? nullptr : found->second;
}

PickleRef FindAttribute(PickleRef object, std::string_view name) {
  if (!object || !object->Is(PickleKind::kObject) || !object->state) return nullptr;
  if (object->state->Is(PickleKind::kDict)) return FindItem(object->state, name);
  for (const PickleRef part : object->state->elements) {
    if (const PickleRef found = FindItem(part, name)) return found;
  }
  return nullptr;
}

PickleRef ClassOf(PickleRef object) {
  return object && object->Is(PickleKind::kObject) ? object->callable : nullptr;
}

PickleRef ElementAt(PickleRef sequence, std::size_t index) {
  return sequence && index < sequence->elements.size() ? sequence->elements[index] : nullptr;
}

}  // namespace couplingd
