#include "base/secret.h"

#include <fmt/format.h>
#include <sys/stat.h>

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

std::string FirstLineTrimmed(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kBlank) - begin + 1));
}

}  // namespace

Result<Secret> ReadSecretFile(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::unexpected(ErrnoError(errno, "read", path));
  const std::string credentials = CredentialsDirectory();
  const bool managed = !credentials.empty() && IsWithin(path, credentials);
  if (!managed && (status.st_mode & 077) != 0) {
    return Fail(ErrorKind::kPermission,
                fmt::format("{} can be read by others (mode {:03o})", path, status.st_mode & 0777),
                fmt::format("chmod 600 {}", path));
  }
  std::string value = FirstLineTrimmed(TRY(ReadFile(path, kMaxSecretBytes)));
  if (value.empty()) return Fail(ErrorKind::kInvalidData, fmt::format("{} holds no secret", path));
  return Secret(std::move(value));
}

Result<Secret> ReadSecret(const std::string& reference) {
  if (!std::string_view(reference).starts_with(kCredentialPrefix)) return ReadSecretFile(reference);
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
  return ReadSecretFile(JoinPath(directory, name));
}

}  // namespace couplingd
