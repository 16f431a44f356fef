// What torch.save writes: an object as a pickle, and the storages of its tensors.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/checkpoint/confined_file.h"
#include "probes/checkpoint/pickle/pickle.h"
#include "probes/checkpoint/tensor_source.h"
#include "probes/checkpoint/torch/zip_archive.h"

namespace couplingd {

struct TorchArchive {
  PickleDocument object;
  std::map<std::string, ZipEntry, std::less<>> storages;  // by key: where its bytes lie
  std::string header_hash;  // over the pickle and the directory; no tensor's bytes
  std::string path;
};

// Opens the ZIP archive or, where the bytes begin with a pickle, the format before torch 1.6. Reads
// the object's pickle, never the storages. `retryable` is set where the end is missing.
// kUnsupported: big-endian archives, TorchScript, tar files of before torch 0.1.10.
Result<TorchArchive> OpenTorchArchive(const ConfinedFile& file,
                                      std::optional<FileSlice> slice = {});

// One tensor, as the pickle describes it and the file holds it.
struct StoredTensor {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> stride;  // in elements, none negative
  std::uint64_t begin = 0;           // of its first element, from the start of the file
  std::uint64_t storage_bytes = 0;   // of the whole storage
};

// True for what one of torch's rebuild functions would make.
bool IsTorchTensor(PickleRef value);

// The tensor, checked: known dtype, a storage that is there and as large as it says, every element
// inside it, and no more elements than the storage has (an expanded tensor could be of any size).
// `name` is for errors.
Result<StoredTensor> LocateTensor(const TorchArchive& archive, PickleRef value,
                                  std::string_view name);

struct NamedStoredTensor {
  std::string name;
  StoredTensor tensor;
};

// Every tensor in a dictionary and in the dictionaries inside it, whose keys are joined with ".".
// What is no tensor is left out. kInvalidData: a name that stands twice; nesting beyond 16; tensors
// that together are more than 16 times as large as the file.
Result<std::vector<NamedStoredTensor>> TensorsOf(const TorchArchive& archive, PickleRef mapping,
                                                 std::uint64_t file_bytes);

// The elements of a torch.Size, tuple or list of integers; nothing where it is none.
std::optional<std::vector<std::int64_t>> IntegersOf(PickleRef value);

// A dtype by its torch name ("bfloat16"), as in the global torch.bfloat16.
std::optional<DType> TorchDType(std::string_view name);

}  // namespace couplingd
