#include "daemon/preserve.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/files.h"

namespace couplingd {
namespace {

namespace fs = std::filesystem;

fs::copy_options OptionsFor(Preserve how) {
  const auto options = fs::copy_options::recursive;
  return how == Preserve::kHardlink ? options | fs::copy_options::create_hard_links : options;
}

ErrorKind KindFor(const std::error_code& error) {
  if (error == std::errc::no_such_file_or_directory) return ErrorKind::kVanished;
  if (error == std::errc::no_space_on_device) return ErrorKind::kExhausted;
  if (error == std::errc::permission_denied) return ErrorKind::kPermission;
  return ErrorKind::kUnavailable;
}

}  // namespace

Result<std::string> PreserveCheckpoint(const std::string& checkpoint, const std::string& target,
                                       Preserve how) {
  if (how == Preserve::kNone) return checkpoint;
  TRY(MakeDirectories(DirectoryName(target)));
  std::error_code error;
  fs::copy(checkpoint, target, OptionsFor(how), error);
  if (!error) return target;
  RemovePreserved(target);
  const bool crosses = error == std::errc::cross_device_link;
  return Fail(KindFor(error), fmt::format("cannot preserve {}: {}", checkpoint, error.message()),
              crosses ? "hard links need one file system: set preserve: copy" : "");
}

void RemovePreserved(const std::string& target) {
  std::error_code ignored;
  fs::remove_all(target, ignored);
}

}  // namespace couplingd
