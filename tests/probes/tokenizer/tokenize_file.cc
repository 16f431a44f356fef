// Encodes a file of documents that are separated by
// NUL bytes and prints the ids of each as one line:
//   tokenize_file TOKENIZER_DIRECTORY FILE [--special]
// A line "seconds: S" on the standard error gives the time of encoding alone.
// bench/oracle/tokenizer_parity.py compares the lines with those of the Hugging Face library.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "probes/tokenizer/tokenizer.h"

namespace couplingd {
namespace {

Status TokenizeFile(const std::string& directory, const std::string& path,
                    bool add_special_tokens) {
  const auto tokenizer = TRY(LoadTokenizer(directory));
  const std::string text = TRY(ReadFile(path, std::size_t{1} << 30));
  std::vector<std::vector<TokenId>> encoded;
  std::string_view rest = text;
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    const std::size_t end = rest.find('\0');
    encoded.push_back(TRY(tokenizer->Encode(rest.substr(0, end), add_special_tokens)));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::string lines;
  for (const auto& ids : encoded) {
    for (std::size_t i = 0; i < ids.size(); ++i) lines += fmt::format("{}{}", i ? " " : "", ids[i]);
    lines += '\n';
  }
  std::fwrite(lines.data(), 1, lines.size(), stdout);
  fmt::print(stderr, "seconds: {:.6f}\n", seconds.count());
  return {};
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) {
  const bool special = argc == 4 && std::string_view(argv[3]) == "--special";
  if (argc != 3 && !special) {
    fmt::print(stderr, "usage: tokenize_file TOKENIZER_DIRECTORY FILE [--special]\n");
    return 64;
  }
  const auto status = couplingd::TokenizeFile(argv[1], argv[2], special);
  if (status) return 0;
  fmt::print(stderr, "tokenize_file: {}\n", status.error().Text());
  return couplingd::ExitCode(status.error().kind);
}
