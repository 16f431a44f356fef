#include "base/secret.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "base/files.h"

namespace couplingd {
namespace {

constexpr std::size_t kMaxSecretBytes = 64u << 10;
constexpr std::string_view kCredentialPrefix = "credential:";

std::string CredentialsDirectory() {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  return directory ? directory : "";
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

Result<std::string> ReadGuarded(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::unexpected(ErrnoError(errno, "read", path));
  const std::string credentials = CredentialsDirectory();
  const bool managed = !credentials.empty() && IsWithin(path, credentials);
  if (!managed && (status.st_mode & 077) != 0) {
    return Fail(ErrorKind::kPermission,
                fmt::format("{} can be read by others (mode {:03o})", path, status.st_mode & 0777),
                fmt::format("chmod 600 {}", path));
  }
  return ReadFile(path, kMaxSecretBytes);
}

// The file that a reference stands for.
Result<std::string> PathOf(const std::string& reference) {
  if (!std::string_view(reference).starts_with(kCredentialPrefix)) return reference;
  const std::string name = reference.substr(kCredentialPrefix.size());
  if (name.empty() || name.find('/') != std::string::npos) {
    return Fail(ErrorKind::kInvalidData, fmt::format("\"{}\" names no credential", reference));
  }
  const std::string directory = CredentialsDirectory();
  if (directory.empty()) {
    return Fail(ErrorKind::kNotFound,
                fmt::format("\"{}\" needs systemd's LoadCredential=", reference),
                fmt::format("add LoadCredential={}:FILE to the unit, or name a file", name));
  }
  return JoinPath(directory, name);
}

}  // namespace

Result<Secret> ReadSecretFile(const std::string& path) {
  const std::string text = TRY(ReadGuarded(path));
  const std::string_view first = Trimmed(std::string_view(text).substr(0, text.find('\n')));
  if (first.empty()) return Fail(ErrorKind::kInvalidData, fmt::format("{} holds no secret", path));
  return Secret(std::string(first));
}

Result<Secret> ReadSecret(const std::string& reference) {
  return ReadSecretFile(TRY(PathOf(reference)));
}

Result<std::vector<Secret>> ReadSecretLines(const std::string& reference) {
  const std::string path = TRY(PathOf(reference));
  const std::string text = TRY(ReadGuarded(path));
  std::vector<Secret> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = Trimmed(std::string_view(text).substr(at, end - at));
    if (!line.empty()) lines.emplace_back(std::string(line));
    at = end + 1;
  }
  if (lines.empty()) return Fail(ErrorKind::kInvalidData, fmt::format("{} holds no secret", path));
  return lines;
}

}  // namespace couplingd
