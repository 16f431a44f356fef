// The evaluation process: gives up its rights, then opens the evaluator library.
#pragma once

#include <string>

namespace couplingd {

// Reads the request on stdin, enters the sandbox, reports it in a note frame on stdout, opens
// `evaluator` (a library of probes/worker/evaluator_abi.h) and calls it. Every failure is an error
// frame. Does not return: the process ends with the status that the library gave, without running
// destructors of libraries.
[[noreturn]] void RunEvaluateChild(const std::string& evaluator);

}  // namespace couplingd
