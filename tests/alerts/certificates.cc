#include "tests/alerts/certificates.h"

#include <chrono>
#include <iostream>

#include "base/process.h"

namespace couplingd::testing {

bool MakeCertificate(const std::string& folder, const std::string& name) {
  ProcessOptions options;
  options.arguments = {"/bin/bash", COUPLINGD_SOURCE_DIR "/tests/alerts/make_certificate.sh",
                       folder, name};
  options.environment = MinimalEnvironment();
  const auto output = RunProcess(options, "", std::chrono::seconds(60));
  if (!output || !output->exit.ok()) {
    std::cerr << (output ? output->err : output.error().Text()) << "\n";
    return false;
  }
  return true;
}

}  // namespace couplingd::testing
