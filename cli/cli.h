// couplingctl as a function: arguments in, text and an exit status out. main() gives it the
// terminal, tests give it strings.
#pragma once

#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/http_client.h"

namespace couplingd {

struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool utf8 = true;  // otherwise plain ASCII is written
  int columns = 80;
};

struct CliServices {
  HttpClient& http;
  const Clock& clock;
  std::map<std::string, std::string> environment;  // COUPLINGD_CONFIG, TMPDIR
  std::string program_directory;                   // where couplingd-probe lies
  std::string default_config = "/etc/couplingd/couplingd.yaml";
};

// `arguments` without the program's name. Exit status: 0; 1 and 2 only from --gate (does not hold,
// undetermined); 64 usage, 65 bad data, 69 unreachable, 70 internal.
int RunCli(const std::vector<std::string>& arguments, const CliServices& services,
           const Terminal& terminal);

}  // namespace couplingd
