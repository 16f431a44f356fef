// The GPUs of this machine, through NVIDIA's management library, which is opened at run time: the
// same binary runs where there is no driver. No libtorch, no CUDA context is created.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace couplingd {

struct GpuProcess {
  unsigned pid = 0;
  std::optional<std::uint64_t> used_bytes;  // absent where the driver does not tell
};

struct Gpu {
  unsigned index = 0;  // in PCI bus order, as nvidia-smi counts
  std::string uuid;    // "GPU-…"
  std::string name;
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::optional<unsigned> utilization_percent;  // of the last sample period
  int compute_major = 0, compute_minor = 0;
  std::string problem;  // why it does not answer; everything but the index may then be missing
  bool mig = false;     // split into instances; cannot be used as a whole
  std::vector<GpuProcess> processes;  // that hold a compute context
};

struct GpuReport {
  bool driver = false;
  std::string driver_version;
  std::string reason;  // where there is no driver: why, in one sentence
  std::vector<Gpu> gpus;
};

// No driver is an answer, not an Error. kUnavailable: the driver is there and does not answer (a
// version mismatch after an upgrade); the message says which call
// failed.
Result<GpuReport> QueryGpus(const std::string& library = "libnvidia-ml.so.1");

}  // namespace couplingd
