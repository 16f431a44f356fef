// The product's half of bench/oracle/tokenizer_parity.py: encodes documents in one thread.
//
//   couplingd-bench-tokenizers TOKENIZER_DIRECTORY DOCUMENTS IDS
//
// DOCUMENTS holds each document as a 32-bit length and its bytes; IDS gets for each a 32-bit count
// and its ids, all little-endian, special tokens included. Prints the processor seconds of encoding
// alone.
#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "probes/tokenizer/tokenizer.h"

namespace couplingd {
namespace {

Result<std::vector<std::string_view>> SplitDocuments(std::string_view bytes) {
  std::vector<std::string_view> documents;
  while (!bytes.empty()) {
    std::uint32_t size = 0;
    if (bytes.size() < sizeof(size)) {
      return Fail(ErrorKind::kInvalidData, "the documents end within a length");
    }
    std::memcpy(&size, bytes.data(), sizeof(size));
    bytes.remove_prefix(sizeof(size));
    if (bytes.size() < size) return Fail(ErrorKind::kInvalidData, "a document is cut off");
    documents.push_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return documents;
}

void Append(std::string& out, const void* data, std::size_t bytes) {
  out.append(static_cast<const char*>(data), bytes);
}

Status Tokenize(const std::string& directory, const std::string& documents_path,
                const std::string& ids_path) {
  const auto tokenizer = TRY(LoadTokenizer(directory));
  const std::string bytes = TRY(ReadFile(documents_path, std::size_t{1} << 30));
  const std::vector<std::string_view> documents = TRY(SplitDocuments(bytes));
  std::vector<std::vector<TokenId>> encoded;
  encoded.reserve(documents.size());
  const std::clock_t start = std::clock();
  for (const std::string_view document : documents) {
    encoded.push_back(TRY(tokenizer->Encode(document, true)));
  }
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  std::string out;
  for (const std::vector<TokenId>& ids : encoded) {
    const auto count = static_cast<std::uint32_t>(ids.size());
    Append(out, &count, sizeof(count));
    Append(out, ids.data(), ids.size() * sizeof(TokenId));
  }
  TRY(WriteFileAtomically(ids_path, out));
  fmt::print("{:.6f}\n", seconds);
  return {};
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: couplingd-bench-tokenizers TOKENIZER_DIRECTORY DOCUMENTS IDS\n");
    return 64;
  }
  const auto status = couplingd::Tokenize(argv[1], argv[2], argv[3]);
  if (status) return 0;
  fmt::print(stderr, "{}\n", status.error().Text());
  return couplingd::ExitCode(status.error().kind);
}
