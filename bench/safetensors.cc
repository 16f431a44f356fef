// The product's half of bench/oracle/safetensors_parity.py: opens many files with the reader.
//
//   couplingd-bench-safetensors FILES FOLDER
//
// FILES holds each file as a 32-bit length and its bytes; each is written into FOLDER in turn.
// Prints a line of JSON for each: {"error": text}, or {"tensors": [[name, dtype, shape, begin,
// end]…]} with offsets from the first byte of the data.
#include "probes/checkpoint/safetensors.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/json.h"

namespace couplingd {
namespace {

std::string Describe(const SafetensorsFile& file, std::string_view content) {
  std::uint64_t header = 0;
  std::memcpy(&header, content.data(), sizeof(header));
  const std::uint64_t data_begin = sizeof(header) + header;
  JsonWriter json;
  json.BeginObject().Key("tensors").BeginArray();
  for (const TensorInfo& tensor : file.tensors) {
    json.BeginArray().Value(tensor.name).Value(ToString(tensor.dtype)).BeginArray();
    for (const std::int64_t dimension : tensor.shape) json.Value(dimension);
    json.EndArray().Value(tensor.offset - data_begin);
    json.Value(tensor.offset - data_begin + tensor.bytes).EndArray();
  }
  json.EndArray().EndObject();
  return json.Text();
}

std::string Refuse(const Error& error) {
  JsonWriter json;
  json.BeginObject().Field("error", ToValidUtf8(error.message)).EndObject();
  return json.Text();
}

Status OpenEach(const std::string& files_path, const std::string& folder) {
  const std::string all = TRY(ReadFile(files_path, std::size_t{1} << 30));
  const std::string path = JoinPath(folder, "model.safetensors");
  std::string_view rest = all;
  while (!rest.empty()) {
    std::uint32_t size = 0;
    if (rest.size() < sizeof(size)) return Fail(ErrorKind::kInvalidData, "cut within a length");
    std::memcpy(&size, rest.data(), sizeof(size));
    const std::string_view content = rest.substr(sizeof(size), size);
    if (content.size() != size) return Fail(ErrorKind::kInvalidData, "cut within a file");
    rest.remove_prefix(sizeof(size) + size);
    TRY(WriteFileAtomically(path, content));
    const auto opened = OpenSafetensors(path, {folder});
    fmt::print("{}\n", opened ? Describe(*opened, content) : Refuse(opened.error()));
  }
  return {};
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: couplingd-bench-safetensors FILES FOLDER\n");
    return 64;
  }
  const auto status = couplingd::OpenEach(argv[1], argv[2]);
  if (status) return 0;
  fmt::print(stderr, "{}\n", status.error().Text());
  return couplingd::ExitCode(status.error().kind);
}
