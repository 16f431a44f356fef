// Which GPU an evaluation may use, so that it does no harm to the training that runs beside it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "probes/device/nvml.h"

namespace couplingd {

struct GpuChoice {
  std::string device;            // for the evaluator: "cpu", "cuda:0" (the visible one), "auto"
  std::string visible;           // for CUDA_VISIBLE_DEVICES: a UUID; empty hides every GPU
  std::uint64_t free_bytes = 0;  // of its memory, when it was chosen; 0 on the CPU
  std::string note;              // one sentence: what was chosen and why
  FileDescriptor lock;           // held while the GPU is used
};

struct GpuChoiceOptions {
  std::string lock_directory;  // empty: /run/lock, or /tmp where that is not writable
  std::optional<std::string>
      allowed;  // CUDA_VISIBLE_DEVICES of the caller: only these (indices or UUIDs)
};

// `device`: "cpu"; "auto": an idle GPU, with most free memory first, or the CPU where there is none
// to use; "cuda": the same without the CPU; "cuda:INDEX" or "cuda:UUID" (a unique beginning of
// one): that GPU, idle or not. Idle: no compute process, less than 10 % busy, not locked by another
// evaluation. kConflict (retryable): every usable GPU is busy, or the named one is locked;
// kUnavailable: no such GPU; kUsage: not a device.
Result<GpuChoice> ChooseGpu(const std::string& device, const Result<GpuReport>& report,
                            const GpuChoiceOptions& options = {});

}  // namespace couplingd
