// Certificates for tests, made with the openssl program while they run.
#pragma once

#include <string>

namespace couplingd::testing {

// Makes the certificate of the given case for the host name "sink.test" in the folder, signed (or
// not) by the authority that the folder's ca.pem names; made there with the first case. The files
// are NAME.pem (the chain, leaf first) and NAME.key. Cases stand in make_certificate.sh.
// False where the openssl program is missing or fails.
bool MakeCertificate(const std::string& folder, const std::string& name);

}  // namespace couplingd::testing
