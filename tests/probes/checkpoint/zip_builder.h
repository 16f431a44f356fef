// Writes ZIP archives as torch.save does, and wrong ones on purpose.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace couplingd {

struct ZipPart {
  std::string name;
  std::string content;
  std::uint16_t method = 0, flags = 0x0808;
  std::string local_name;                   // empty: the same name
  std::uint64_t size_in_directory = ~0ull;  // of the content
  std::uint64_t header_in_directory = ~0ull;
  bool wide = false;  // sizes in a ZIP64 field
};

struct ZipEnd {
  std::uint64_t entries = ~0ull, directory_bytes = ~0ull, directory_begin = ~0ull;
  std::uint16_t disk = 0;
  bool wide = false;
  std::uint64_t wide_entries = ~0ull, wide_at = ~0ull;
  std::string between;  // after the directory
};

inline std::string Number(std::uint64_t value, int width) {
  std::string bytes(static_cast<std::size_t>(width), '\0');
  for (int i = 0; i < std::min(width, 8); ++i) bytes[i] = static_cast<char>(value >> (8 * i) & 255);
  return bytes;
}

inline std::string BuildZip(const std::vector<ZipPart>& parts, const ZipEnd& end = {}) {
  const auto or_else = [](std::uint64_t given, std::uint64_t right) {
    return given == ~0ull ? right : given;
  };
  std::string file, directory;
  for (const ZipPart& part : parts) {
    const std::string local = part.local_name.empty() ? part.name : part.local_name;
    const std::uint64_t header = or_else(part.header_in_directory, file.size());
    const std::uint64_t size = or_else(part.size_in_directory, part.content.size());
    file += Number(0x04034b50, 4) + Number(0, 2) + Number(part.flags, 2) + Number(part.method, 2) +
            Number(0, 16) + Number(local.size(), 2) + Number(0, 2) + local + part.content;
    std::string extra;
    if (part.wide)
      extra = Number(1, 2) + Number(24, 2) + Number(size, 8) + Number(size, 8) + Number(header, 8);
    const std::uint64_t shown = part.wide ? 0xFFFFFFFF : size;
    directory += Number(0x02014b50, 4) + Number(0, 4) + Number(part.flags, 2) +
                 Number(part.method, 2) + Number(0, 8) + Number(shown, 4) + Number(shown, 4) +
                 Number(part.name.size(), 2) + Number(extra.size(), 2) + Number(0, 10) +
                 Number(part.wide ? 0xFFFFFFFF : header, 4) + part.name + extra;
  }
  const std::uint64_t begin = or_else(end.directory_begin, file.size());
  const std::uint64_t bytes = or_else(end.directory_bytes, directory.size());
  const std::uint64_t entries = or_else(end.entries, parts.size());
  file += directory + end.between;
  if (end.wide) {
    const std::uint64_t at = or_else(end.wide_at, file.size());
    const std::uint64_t count = or_else(end.wide_entries, parts.size());
    file += Number(0x06064b50, 4) + Number(44, 8) + Number(0, 12) + Number(count, 8) +
            Number(count, 8) + Number(bytes, 8) + Number(begin, 8);
    file += Number(0x07064b50, 4) + Number(0, 4) + Number(at, 8) + Number(1, 4);
  }
  return file + Number(0x06054b50, 4) + Number(end.disk, 2) + Number(0, 2) + Number(entries, 2) +
         Number(entries, 2) + Number(bytes, 4) + Number(begin, 4) + Number(0, 2);
}

// Pieces of pickles, protocol 2.
inline std::string Text(std::string_view text) {
  return "X" + Number(text.size(), 4) + std::string(text);
}
inline std::string Int(std::int32_t value) {
  return "J" + Number(static_cast<std::uint32_t>(value), 4);
}
inline std::string Wide(std::int64_t value) {
  return "\x8a\x08" + Number(static_cast<std::uint64_t>(value), 8);
}
inline std::string Global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}

// A tensor as torch.save describes it; the integers are pickled already.
struct PickledTensor {
  std::string type = "FloatStorage", key = "0", elements = Int(4), offset = Int(0);
  std::string shape = "(" + Int(4) + "t", stride = "(" + Int(1) + "t";

  std::string Pickled() const {
    return Global("torch._utils", "_rebuild_tensor_v2") + "((" + Text("storage") +
           Global("torch", type) + Text(key) + Text("cpu") + elements + "tQ" + offset + shape +
           stride + "\x89" + Global("collections", "OrderedDict") + ")RtR";
  }
};

// {"w": tensor} and a storage of 16 bytes.
inline std::string DictOf(std::string_view pickled) {
  return "\x80\x02}" + Text("w") + std::string(pickled) + "s.";
}
inline std::vector<ZipPart> ArchiveParts(const std::string& pickle) {
  return {{"a/data.pkl", pickle}, {"a/byteorder", "little"}, {"a/data/0", std::string(16, 'x')}};
}

}  // namespace couplingd
