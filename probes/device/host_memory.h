// The process's memory where libtorch works on the CPU.
#pragma once

namespace couplingd {

// From now on the process keeps the memory that it frees: a forward pass takes and gives back the
// same blocks many times, and the system would hand out each anew, page by page. Tensors no longer
// ask for aligned blocks, since glibc cannot put one where one of the same size has been: a forward
// pass would go through ever more of what is free. What is free now goes back to the system.
void KeepFreedMemory();

// Gives back what is free now, where other memory will be wanted next.
void ReturnFreedMemory();

}  // namespace couplingd
