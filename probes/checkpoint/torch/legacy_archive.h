// What torch.save wrote before torch 1.6: five pickles in a row, then the storages.
#pragma once

#include "base/result.h"
#include "probes/checkpoint/confined_file.h"
#include "probes/checkpoint/torch/torch_archive.h"

namespace couplingd {

// The pickles are a magic number, the protocol (1001), the system's byte order, the object, and the
// list of storage keys; then follow, in the list's order, each storage's length and bytes. The last
// ends exactly at the end of the slice: a shorter one is `retryable`.
Result<TorchArchive> OpenLegacyArchive(const ConfinedFile& file, FileSlice slice);

}  // namespace couplingd
