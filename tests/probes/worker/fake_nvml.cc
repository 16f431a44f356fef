// Stands in for libnvidia-ml.so.1, with the entry points and layouts of its public interface.
// FAKE_NVML in the environment: "idle" (GPU 1 idle, GPU 0 busy), "busy" (both busy), "none" (driver
// not loaded), "lost" (GPU 0 does not answer).
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

std::string_view Mode() {
  const char* mode = std::getenv("FAKE_NVML");
  return mode ? mode : "idle";
}

unsigned IndexOf(void* device) {
  return static_cast<unsigned>(reinterpret_cast<std::size_t>(device)) - 1;
}
bool IsBusy(void* device) { return IndexOf(device) == 0 || Mode() == "busy"; }

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int nvmlInit_v2() { return Mode() == "none" ? 9 : 0; }
EXPORTED int nvmlShutdown() { return 0; }
EXPORTED const char* nvmlErrorString(int error) {
  return error == 15 ? "GPU is lost" : "Unknown Error";
}
EXPORTED int nvmlSystemGetDriverVersion(char* text, unsigned size) {
  std::strncpy(text, "580.95", size);
  return 0;
}
EXPORTED int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
EXPORTED int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  if (Mode() == "lost" && index == 0) return 15;
  *device = reinterpret_cast<void*>(static_cast<std::size_t>(index) + 1);
  return 0;
}
EXPORTED int nvmlDeviceGetUUID(void* device, char* text, unsigned size) {
  std::strncpy(text, IndexOf(device) == 0 ? "GPU-aaaaaaaa-0000" : "GPU-bbbbbbbb-1111", size);
  return 0;
}
EXPORTED int nvmlDeviceGetName(void*, char* text, unsigned size) {
  std::strncpy(text, "NVIDIA Test 80GB", size);
  return 0;
}
EXPORTED int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* memory) {
  memory[0] = 80ull << 30;
  memory[1] = (IsBusy(device) ? 10ull : 79ull) << 30;
  memory[2] = memory[0] - memory[1];
  return 0;
}
EXPORTED int nvmlDeviceGetUtilizationRates(void* device, unsigned* rates) {
  rates[0] = IsBusy(device) ? 97 : 0;
  rates[1] = 0;
  return 0;
}
EXPORTED int nvmlDeviceGetCudaComputeCapability(void*, int* major, int* minor) {
  *major = 9;
  *minor = 0;
  return 0;
}
EXPORTED int nvmlDeviceGetMigMode(void*, unsigned*, unsigned*) { return 3; }
EXPORTED int nvmlDeviceGetComputeRunningProcesses_v3(void* device, unsigned* count,
                                                     unsigned char* processes) {
  *count = IsBusy(device) ? 1 : 0;
  if (*count == 0) return 0;
  const unsigned pid = 4242;
  const unsigned long long used = 70ull << 30;
  std::memcpy(processes, &pid, sizeof pid);
  std::memcpy(processes + 8, &used, sizeof used);
  return 0;
}
