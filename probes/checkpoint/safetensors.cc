#include "probes/checkpoint/safetensors.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "base/hash.h"
#include "probes/checkpoint/safetensors_header.h"

namespace couplingd {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kFormatHeaderLimit = 100'000'000;

std::unexpected<Error> Truncated(const std::string& path, std::string_view cause) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{} is truncated: {}", path, cause),
              "the file is still being written, or its writer was stopped", true);
}

std::unexpected<Error> Invalid(const std::string& path, std::string_view cause) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", path, cause),
              "the file is damaged or not a safetensors file; copy or write it again");
}

std::uint64_t LittleEndian(const std::array<unsigned char, kLengthBytes>& bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

// What the first bytes give away about a file that only bears the name. A header's length may begin
// likewise: only one that cannot be tells.
std::string_view Disguise(const std::array<unsigned char, kLengthBytes>& start) {
  const std::string_view bytes(reinterpret_cast<const char*>(start.data()), start.size());
  if (bytes.starts_with("PK\x03\x04")) return "a ZIP archive, as torch.save writes";
  if (bytes.starts_with("\x80\x02") || bytes.starts_with("\x80\x04")) return "a Python pickle";
  if (bytes.starts_with("GGUF")) return "a GGUF file";
  if (bytes.starts_with("\x89HDF")) return "an HDF5 file";
  if (bytes.starts_with("version ")) return "a Git LFS pointer; fetch the file itself";
  return "";
}

// The header's length, checked against the file and the limits.
Result<std::uint64_t> ReadHeaderLength(const ConfinedFile& file, const SafetensorsLimits& limits) {
  const std::uint64_t size = file.stamp.size;
  if (size < kLengthBytes) {
    return Truncated(file.path, fmt::format("{} bytes, at least 8 are needed", size));
  }
  std::array<unsigned char, kLengthBytes> start{};
  TRY(ReadExactlyAt(file.fd.get(), start.data(), start.size(), 0, file.path));
  const std::uint64_t length = LittleEndian(start);
  if (length == 0) return Truncated(file.path, "the length of its header is still 0");
  const bool is_possible = length <= limits.max_header_bytes && length <= size - kLengthBytes;
  if (const std::string_view disguise = Disguise(start); !is_possible && !disguise.empty()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} is {}, not safetensors", file.path, disguise));
  }
  if (length > kFormatHeaderLimit) {
    return Invalid(
        file.path,
        fmt::format("announces a header of {} bytes, the format allows 100000000", length));
  }
  if (length > limits.max_header_bytes) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: its header has {} bytes, at most {} are read", file.path, length,
                            limits.max_header_bytes),
                "raise the header limit if the file is trusted");
  }
  if (length > size - kLengthBytes) {
    return Truncated(file.path, fmt::format("its header needs {} bytes, the file has {}",
                                            length + kLengthBytes, size));
  }
  return length;
}

Status CheckDataEnd(const std::vector<TensorInfo>& tensors, std::uint64_t data_begin,
                    const ConfinedFile& file) {
  const std::uint64_t end =
      tensors.empty() ? data_begin : tensors.back().offset + tensors.back().bytes;
  if (file.stamp.size < end) {
    return Truncated(file.path, fmt::format("{} bytes, its tensors need {}", file.stamp.size, end));
  }
  if (file.stamp.size > end) {
    return Invalid(file.path,
                   fmt::format("{} bytes follow the last tensor", file.stamp.size - end));
  }
  return {};
}

}  // namespace

Result<SafetensorsHeader> ReadSafetensorsHeader(const ConfinedFile& file,
                                                const SafetensorsLimits& limits) {
  const std::uint64_t length = TRY(ReadHeaderLength(file, limits));
  std::string text(length, '\0');
  TRY(ReadExactlyAt(file.fd.get(), text.data(), length, kLengthBytes, file.path));
  if (text.front() == '\0') return Truncated(file.path, "its header is still zeros");
  const std::uint64_t data_begin = kLengthBytes + length;
  SafetensorsHeader header;
  header.tensors = TRY(ParseSafetensorsHeader(text, data_begin, file.path, &header.metadata));
  TRY(CheckDataEnd(header.tensors, data_begin, file));
  header.hash = HashHex(text);
  return header;
}

Result<SafetensorsFile> OpenSafetensors(const std::string& path, const ReadRoots& roots,
                                        const SafetensorsLimits& limits) {
  SafetensorsFile opened;
  opened.file = TRY(OpenConfined(path, roots));
  SafetensorsHeader header = TRY(ReadSafetensorsHeader(opened.file, limits));
  opened.tensors = std::move(header.tensors);
  opened.header_hash = std::move(header.hash);
  return opened;
}

}  // namespace couplingd
