// Tensors and objects of a PyTorch Distributed Checkpoint.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/assembly/assembled_source.h"
#include "probes/checkpoint/checkpoint_files.h"
#include "probes/checkpoint/dcp/metadata.h"
#include "probes/checkpoint/torch/torch_archive.h"

namespace couplingd {

class DcpReader {
 public:
  // `folder`: where .metadata lies, below the checkpoint's directory; empty: in it.
  static Result<DcpReader> Open(CheckpointFiles& files, std::string folder,
                                bool (*wanted)(std::string_view));

  const DcpMetadata& metadata() const { return metadata_; }

  // The tensor, from the archives of its chunks; each must hold what the metadata says.
  Result<AssembledTensor> Assemble(const DcpTensor& tensor);

  // An object's pickle.
  Result<TorchArchive> OpenObject(const DcpObject& object);

  // To be asked when everything is opened. A save over an older checkpoint rewrites one rank's file
  // after the other, and .metadata last: while some of the files are older than .metadata and some
  // newer, they are of two saves (kInvalidData, `retryable`). A copy that was not given the times
  // leaves all of them newer, which is as good as none.
  Status CheckTimes() const;

  // The integer saved under this name, be it an object or a tensor of one element; nothing where
  // there is none.
  Result<std::optional<std::int64_t>> FindInteger(std::string_view name);

 private:
  DcpReader(CheckpointFiles& files, std::string folder)
      : files_(&files), folder_(std::move(folder)) {}

  Result<std::size_t> OpenPlace(const DcpPlace& place);
  Result<StoredTensor> LocateChunk(const DcpTensor& tensor, const DcpChunk& chunk,
                                   std::size_t& file);

  CheckpointFiles* files_;
  std::string folder_;  // with its slash
  std::int64_t metadata_mtime_ns_ = 0;
  std::string older_, newer_;  // a file of each kind, where there is one
  DcpMetadata metadata_;
};

}  // namespace couplingd
