// An evaluator of another interface version.
#include "probes/worker/evaluator_abi.h"

extern "C" int couplingd_evaluator_abi() { return COUPLINGD_EVALUATOR_ABI + 1; }
extern "C" int couplingd_evaluate(const char*, int) { return 0; }
