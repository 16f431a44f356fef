#include "probes/device/place.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <exception>

#include "base/files.h"
#include "base/numbers.h"

namespace couplingd {
namespace {

constexpr char kLibraryName[] = "libcouplingd_cuda.so";

// The directory of the library or program that this code was linked into.
std::string OwnDirectory() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&OwnDirectory), &info) == 0) return ".";
  return DirectoryName(info.dli_fname);
}

template <typename Function>
bool FindSymbol(void* library, const char* name, Function& into) {
  into = reinterpret_cast<Function>(dlsym(library, name));
  return into != nullptr;
}

// dlopen counts its callers, so asking twice is harmless. The library stays open: libtorch keeps
// pointers into it.
Result<CudaHalf> OpenCudaHalf(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    return Fail(ErrorKind::kUnavailable,
                fmt::format("the CUDA half cannot be opened: {}", dlerror()),
                "./dev build --cuda fetches the CUDA libraries and builds it");
  }
  CudaHalf half;
  if (!FindSymbol(library, "couplingd_cuda_join_logits", half.join_logits) ||
      !FindSymbol(library, "couplingd_cuda_token_scores", half.token_scores) ||
      !FindSymbol(library, "couplingd_cuda_current_stream", half.current_stream) ||
      !FindSymbol(library, "couplingd_cuda_limit_memory", half.limit_memory) ||
      !FindSymbol(library, "couplingd_cuda_error_text", half.error_text)) {
    return Fail(ErrorKind::kUnavailable, fmt::format("{} is of another version", path),
                "install both halves from the same build");
  }
  return half;
}

Result<int> CountDevices() {
  try {
    const at::CUDAHooksInterface& hooks = at::detail::getCUDAHooks();
    return hooks.hasCUDA() ? static_cast<int>(hooks.deviceCount()) : 0;
  } catch (const std::exception& error) {
    return Fail(ErrorKind::kUnavailable, fmt::format("CUDA does not answer: {}", error.what()));
  }
}

// The index asked for; nothing but "cuda" and "cuda:N" is a CUDA device.
Result<int> ParseIndex(std::string_view device) {
  if (device == "auto" || device == "cuda") return 0;
  constexpr std::string_view kPrefix = "cuda:";
  if (device.starts_with(kPrefix)) {
    const auto index = ParseNumber<int>(device.substr(kPrefix.size()));
    if (index && *index >= 0) return *index;
  }
  return Fail(ErrorKind::kUsage, fmt::format("\"{}\" is no device", device),
              "use auto, cpu, cuda or cuda:N");
}

// cuBLAS may otherwise add up parts of a sum in the type of its factors.
void KeepSumsInFp32() {
  at::globalContext().setAllowFP16ReductionCuBLAS(false);
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
}

Result<Place> ChooseCuda(const PlaceRequest& request) {
  Place place;
  place.cuda_index = TRY(ParseIndex(request.device));
  const std::string path =
      request.cuda_library.empty() ? JoinPath(OwnDirectory(), kLibraryName) : request.cuda_library;
  place.cuda = TRY(OpenCudaHalf(path));
  const int count = TRY(CountDevices());
  if (place.cuda_index >= count) {
    return Fail(ErrorKind::kUnavailable,
                count == 0
                    ? std::string("there is no CUDA device")
                    : fmt::format("there is no device {}: CUDA sees {}", place.cuda_index, count),
                "couplingd-probe devices lists what is there");
  }
  KeepSumsInFp32();
  return place;
}

Result<ComputeType> ChooseType(const PlaceRequest& request, bool on_cuda) {
  if (request.dtype == "fp32") return ComputeType::kFp32;
  if (request.dtype == "bf16") return ComputeType::kBf16;
  if (request.dtype == "fp16") return ComputeType::kFp16;
  if (request.dtype != "auto") {
    return Fail(ErrorKind::kUsage, fmt::format("\"{}\" is no floating-point type", request.dtype),
                "use auto, fp32, bf16 or fp16");
  }
  if (on_cuda && request.weights_dtype == "BF16") return ComputeType::kBf16;
  if (on_cuda && request.weights_dtype == "F16") return ComputeType::kFp16;
  return ComputeType::kFp32;
}

}  // namespace

std::string_view ToString(ComputeType type) {
  switch (type) {
    case ComputeType::kBf16:
      return "bf16";
    case ComputeType::kFp16:
      return "fp16";
    case ComputeType::kFp32:
      break;
  }
  return "fp32";
}

std::string Place::DeviceName() const {
  return cuda_index < 0 ? std::string("cpu") : fmt::format("cuda:{}", cuda_index);
}

Result<Place> ChoosePlace(const PlaceRequest& request) {
  Place place;
  if (request.device != "cpu") {
    Result<Place> cuda = ChooseCuda(request);
    if (cuda) {
      place = *std::move(cuda);
    } else if (request.device == "auto") {
      place.note = fmt::format("using the CPU: {}", cuda.error().message);
    } else {
      return std::unexpected(cuda.error());
    }
  }
  place.type = TRY(ChooseType(request, place.cuda_index >= 0));
  if (place.cuda_index < 0 && place.type != ComputeType::kFp32) {
    place.note += fmt::format("{}{} on a CPU without it in hardware is very much slower than fp32",
                              place.note.empty() ? "" : "; ", ToString(place.type));
  }
  return place;
}

}  // namespace couplingd
