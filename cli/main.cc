#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "base/process.h"
#include "cli/cli.h"

namespace couplingd {
namespace {

constexpr int kUsualColumns = 80;

int Columns() {
  if (const char* variable = std::getenv("COLUMNS")) {
    const int columns = std::atoi(variable);
    if (columns >= 40 && columns <= 1000) return columns;
  }
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return size.ws_col;
  return kUsualColumns;
}

int Main(int argc, char** argv) {
  std::setlocale(LC_ALL, "");
  const bool utf8 = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
  std::setlocale(LC_ALL, "C");
  const auto http = MakeCurlHttpClient();
  const SystemClock clock;
  CliServices services{*http, clock, {}, ExecutableDirectory().value_or(".")};
  for (const char* name : {"COUPLINGD_CONFIG", "TMPDIR"}) {
    if (const char* value = std::getenv(name); value && *value) services.environment[name] = value;
  }
  const Terminal terminal{
      std::cout, std::cerr, ::isatty(STDOUT_FILENO) == 1, ::isatty(STDERR_FILENO) == 1,
      utf8,      Columns()};
  return RunCli(std::vector<std::string>(argv + 1, argv + argc), services, terminal);
}

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) { return couplingd::Main(argc, argv); }
