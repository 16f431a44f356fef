// The evaluation process: gives up its rights, then opens the evaluator library.
#pragma once

#include <string>

namespace couplingd {

// Reads requests on stdin, one a line, until its end. For the first it enters the sandbox, reports
// it in a note frame on stdout and opens `evaluator` (a library of probes/worker/evaluator_abi.h);
// then it calls it for each, and sends the idle frame after each that went well. Every failure is
// an error frame and the end. Does not return: the process ends with the status that the library
// gave, without running destructors of libraries.
[[noreturn]] void RunEvaluateChild(const std::string& evaluator);

}  // namespace couplingd
