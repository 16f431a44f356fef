#include <gmock/gmock.h>

#include "base/files.h"
#include "probe.h"
#include "probes/device/nvml.h"
#include "probes/worker/gpu_choice.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

Result<GpuReport> ReportWhen(const char* mode) {
  ::setenv("FAKE_NVML", mode, 1);
  return QueryGpus(ModulePath("fake_nvml"));
}

TEST(Devices, AreListedWithMemoryUseAndProcesses) {
  const auto report = ReportWhen("idle");
  ASSERT_TRUE(report) << report.error().Text();
  EXPECT_TRUE(report->driver);
  EXPECT_EQ(report->driver_version, "580.95");
  ASSERT_EQ(report->gpus.size(), 2u);
  const Gpu& busy = report->gpus[0];
  EXPECT_EQ(busy.uuid, "GPU-aaaaaaaa-0000");
  EXPECT_EQ(busy.name, "NVIDIA Test 80GB");
  EXPECT_EQ(busy.total_bytes, 80ull << 30);
  EXPECT_EQ(busy.free_bytes, 10ull << 30);
  EXPECT_EQ(busy.utilization_percent, 97u);
  EXPECT_EQ(busy.compute_major, 9);
  ASSERT_EQ(busy.processes.size(), 1u);
  EXPECT_EQ(busy.processes[0].pid, 4242u);
  EXPECT_EQ(busy.processes[0].used_bytes, 70ull << 30);
  EXPECT_TRUE(report->gpus[1].processes.empty());
}

TEST(Devices, WithoutADriverAreAnAnswerAndNotAnError) {
  const auto absent = QueryGpus("libno-such-nvml.so.1");
  ASSERT_TRUE(absent);
  EXPECT_FALSE(absent->driver);
  EXPECT_THAT(absent->reason, HasSubstr("no NVIDIA driver here"));
  const auto unloaded = ReportWhen("none");
  ASSERT_TRUE(unloaded);
  EXPECT_FALSE(unloaded->driver);
}

TEST(GpuChoice, TakesTheIdleOneAndLocksIt) {
  const Workplace place;
  const auto report = ReportWhen("idle");
  const auto first = ChooseGpu("auto", report, {.lock_directory = place.path()});
  ASSERT_TRUE(first) << first.error().Text();
  EXPECT_EQ(first->device, "auto");
  EXPECT_EQ(first->visible, "GPU-bbbbbbbb-1111");
  EXPECT_THAT(first->note, HasSubstr("evaluating on GPU 1"));
  const auto second = ChooseGpu("auto", report, {.lock_directory = place.path()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(second.error().retryable);
}

TEST(GpuChoice, LeavesBusyGpusToTrainingUnlessOneIsNamed) {
  const Workplace place;
  const auto report = ReportWhen("busy");
  EXPECT_EQ(ChooseGpu("auto", report, {.lock_directory = place.path()}).error().kind,
            ErrorKind::kConflict);
  const auto named = ChooseGpu("cuda:0", report, {.lock_directory = place.path()});
  ASSERT_TRUE(named);
  EXPECT_EQ(named->device, "cuda:0");
  EXPECT_EQ(named->visible, "GPU-aaaaaaaa-0000");
  EXPECT_THAT(named->note, HasSubstr("1 other processes compute there"));
  const auto by_uuid = ChooseGpu("cuda:GPU-bbbbbbbb", report, {.lock_directory = place.path()});
  ASSERT_TRUE(by_uuid);
  EXPECT_EQ(by_uuid->visible, "GPU-bbbbbbbb-1111");
  EXPECT_EQ(ChooseGpu("cuda:7", report, {}).error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(ChooseGpu("tpu", report, {}).error().kind, ErrorKind::kUsage);
}

TEST(GpuChoice, KeepsToTheGpusThatTheCallerMaySee) {
  const Workplace place;
  const auto report = ReportWhen("idle");
  const GpuChoiceOptions only_busy{.lock_directory = place.path(), .allowed = "0"};
  EXPECT_EQ(ChooseGpu("auto", report, only_busy).error().kind, ErrorKind::kConflict);
  const GpuChoiceOptions none{.lock_directory = place.path(), .allowed = ""};
  EXPECT_EQ(ChooseGpu("auto", report, none)->device, "cpu");
}

TEST(GpuChoice, FallsBackToTheCpuOnlyForAuto) {
  const auto absent = QueryGpus("libno-such-nvml.so.1");
  const auto choice = ChooseGpu("auto", absent);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->device, "cpu");
  EXPECT_EQ(choice->visible, "");
  EXPECT_THAT(choice->note, HasSubstr("on the CPU: no NVIDIA driver"));
  EXPECT_EQ(ChooseGpu("cuda", absent).error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(ChooseGpu("cpu", absent)->device, "cpu");
}

TEST(GpuChoice, PassesOverAGpuThatDoesNotAnswer) {
  const Workplace place;
  const auto report = ReportWhen("lost");
  ASSERT_TRUE(report);
  EXPECT_THAT(report->gpus[0].problem, HasSubstr("GPU is lost"));
  EXPECT_EQ(ChooseGpu("auto", report, {.lock_directory = place.path()})->visible,
            "GPU-bbbbbbbb-1111");
  EXPECT_EQ(ChooseGpu("cuda:0", report, {.lock_directory = place.path()}).error().kind,
            ErrorKind::kUnavailable);
}

TEST(Probe, ShowsDevicesAndInspectsDirectories) {
  const auto run = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ProbePath());
    std::vector<std::string> environment = MinimalEnvironment();
    environment.push_back("ASAN_OPTIONS=detect_leaks=0");  // the leak check makes a process
    return *RunProcess({.arguments = arguments, .environment = environment}, "",
                       std::chrono::seconds(30));
  };
  EXPECT_THAT(run({"devices", "--nvml", "libno-such-nvml.so.1"}).out,
              HasSubstr("evaluated on the CPU"));
  const auto devices =
      ParseJson(run({"devices", "--json", "--nvml", ModulePath("fake_nvml")}).out, "devices");
  ASSERT_TRUE(devices);
  EXPECT_EQ((*devices)["gpus"].Size(), 2u);
  const std::string data = std::string(COUPLINGD_SOURCE_DIR) + "/tests/probes/checkpoint/data/";
  const auto ready =
      ParseJson(run({"inspect", data + "trainer/checkpoint-4", "--json"}).out, "inspection");
  ASSERT_TRUE(ready);
  EXPECT_STREQ((*ready)["readiness"].GetString(), "ready");
  const ProcessOutput refused = run({"inspect", data + "directories/adapter_only"});
  EXPECT_TRUE(refused.exit.ok()) << "not ready is an answer";
  EXPECT_THAT(refused.out, HasSubstr("\"readiness\":\"refused\""));
  const ProcessOutput missing = run({"inspect", "/no/such/directory"});
  EXPECT_EQ(missing.exit.code, 65);
  EXPECT_THAT(missing.err, HasSubstr("/no/such/directory"));
  EXPECT_EQ(run({"frobnicate"}).exit.code, 64);
}

TEST(Probe, DoesNotNeedLibtorchItself) {
  const auto program = ReadFile(ProbePath(), 256u << 20);
  ASSERT_TRUE(program);
  EXPECT_FALSE(program->contains("libtorch_cpu.so"));
  EXPECT_FALSE(program->contains("libc10.so"));
}

}  // namespace
}  // namespace couplingd
