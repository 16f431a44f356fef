// Tensors of torch archives as pieces of assembled ones.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/assembly/assembled_source.h"
#include "probes/checkpoint/checkpoint_files.h"
#include "probes/checkpoint/torch/torch_archive.h"

namespace couplingd {

// The description of a tensor that is to be assembled.
TensorInfo DescribeTensor(std::string name, DType dtype, std::vector<std::int64_t> shape,
                          const std::string& path);

// A tensor that lies in one file as a whole.
AssembledTensor WholeTensor(std::string name, const StoredTensor& stored, std::size_t file,
                            const std::string& path);

// Opens `name` as a torch archive and signs it.
struct OpenedArchive {
  std::size_t file = 0;
  TorchArchive archive;
};
Result<OpenedArchive> OpenArchiveFile(CheckpointFiles& files, std::string_view name);

// Every tensor of a dictionary in the archive, each as a whole.
Result<std::vector<AssembledTensor>> WholeTensorsOf(const CheckpointFiles& files,
                                                    const OpenedArchive& opened, PickleRef mapping);

// Closes the set: what was opened and signed, and the tensors. Refused where those are together
// more than 16 times as large as the files.
Result<CheckpointWeights> FinishWeights(CheckpointFiles files, std::vector<AssembledTensor> tensors,
                                        std::string format, Naming naming);

}  // namespace couplingd
