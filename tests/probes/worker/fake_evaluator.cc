// An evaluator that does what the request's "behaviour" names: the ways in which a real one can go
// wrong.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "probes/worker/evaluator_abi.h"
#include "probes/worker/frames.h"

namespace couplingd {
namespace {

struct Call {
  const JsonDocument& request;
  const std::string& text;
  FrameWriter& frames;
  int fd;

  std::string Text(const char* field) const { return request[field].GetString(); }
  void Send(const std::string& line) const { (void)!::write(fd, line.data(), line.size()); }
  int Succeed() const {
    Send("{\"frame\":\"result\",\"packs\":[]}\n");
    return 0;
  }
  // A result that tells what was seen.
  int Answer(const std::string& key, const std::string& value) const {
    JsonWriter json;
    json.BeginObject().Field("frame", "result").Field(key, value).EndObject();
    return frames.Write(json.Text()) ? 0 : 1;
  }
};

std::string ErrnoName(bool succeeded) { return succeeded ? "succeeded" : ::strerrorname_np(errno); }

int Overflow(volatile int* at) {
  *at = 1;
  return 0;
}

int ReadFileOf(const Call& call) {
  const int fd = ::open(call.Text("target").c_str(), O_RDONLY);
  return call.Answer("seen", ErrnoName(fd >= 0));
}

int WriteFileOf(const Call& call) {
  const std::string target = call.Text("target");
  const int fd = ::open((target + ".part").c_str(), O_WRONLY | O_CREAT, 0600);
  if (fd < 0) return call.Answer("seen", ErrnoName(false));
  (void)!::write(fd, "x", 1);
  return call.Answer("seen", ErrnoName(::rename((target + ".part").c_str(), target.c_str()) == 0));
}

int ConnectTo(const Call& call) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return call.Answer("seen", ErrnoName(false));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(call.request["port"].GetInt()));
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  return call.Answer(
      "seen", ErrnoName(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0));
}

int MakeProcess(const Call& call) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  return call.Answer("seen", ErrnoName(child > 0));
}

int RunProgram(const Call& call) {
  ::execl("/bin/true", "true", nullptr);
  return call.Answer("seen", ErrnoName(false));
}

int NameThread(const Call& call) {
  bool named = false;
  std::thread([&] {
    const int fd = ::open("/proc/thread-self/comm", O_WRONLY);
    named = fd >= 0 && ::write(fd, "worker", 6) == 6;
  }).join();
  return call.Answer("seen", ErrnoName(named));
}

int Describe(const Call& call) {
  std::string environment;
  for (char** entry = ::environ; *entry; ++entry) environment += std::string(*entry) + "\n";
  JsonWriter json;
  json.BeginObject().Field("frame", "result").Field("environment", environment);
  json.Field("request", call.text).Field("nice", ::getpriority(PRIO_PROCESS, 0)).EndObject();
  return call.frames.Write(json.Text()) ? 0 : 1;
}

int Allocate() {
  std::vector<std::unique_ptr<char[]>> blocks;
  constexpr std::size_t kBlock = 16u << 20;
  while (true) {
    blocks.push_back(std::make_unique<char[]>(kBlock));
  }
}

int calls = 0;

// A result that tells which process it is and how often it was called.
int Count(const Call& call) {
  JsonWriter json;
  json.BeginObject().Field("frame", "result").Field("calls", calls);
  json.Field("pid", static_cast<std::int64_t>(::getpid())).EndObject();
  return call.frames.Write(json.Text()) ? 0 : 1;
}

// Well at first, and then as the name says.
int CrashAgain(const Call& call) { return calls > 1 ? Overflow(nullptr) : Count(call); }
int FailAgain(const Call& call) {
  if (calls == 1) return Count(call);
  call.Send(ErrorFrame({ErrorKind::kInvalidData, "NaN in the logits", "", false}) + "\n");
  return 65;
}

int DieLater(const Call& call) {
  std::thread([] {
    ::usleep(50'000);
    ::_exit(0);
  }).detach();
  return Count(call);
}

// Keeps 300 MiB more at every call.
int Grow(const Call& call) {
  static std::vector<std::unique_ptr<char[]>> kept;
  constexpr std::size_t kBlock = 300u << 20;
  kept.push_back(std::make_unique<char[]>(kBlock));
  std::memset(kept.back().get(), 1, kBlock);
  return Count(call);
}

int IgnoreTermAndHang(const Call& call) {
  ::signal(SIGTERM, SIG_IGN);
  (void)call.frames.Write(NoteFrame("pid", std::to_string(::getpid())));
  while (true) ::pause();
}

int SendWithoutEnd(const Call& call) {
  const std::string block(1u << 16, 'x');
  for (int i = 0; i < 16'384; ++i) call.Send(block);
  return call.Succeed();
}

int SendManyFrames(const Call& call) {
  const std::string frame =
      "{\"frame\":\"note\",\"text\":\"" + std::string(1u << 19, 'x') + "\"}\n";
  for (int i = 0; i < 2'048; ++i) call.Send(frame);
  return call.Succeed();
}

int Behave(const Call& call) {
  const std::string behaviour = call.Text("behaviour");
  const std::map<std::string, int (*)(const Call&)> behaviours = {
      {"succeed", [](const Call& c) { return c.Succeed(); }},
      {"count", Count},
      {"crash again", CrashAgain},
      {"fail again", FailAgain},
      {"die later", DieLater},
      {"grow", Grow},
      {"segfault", [](const Call&) { return Overflow(nullptr); }},
      {"abort",
       [](const Call&) -> int {
         std::fputs("assertion of the library failed\n", stderr);
         std::abort();
       }},
      {"killed", [](const Call&) { return ::raise(SIGKILL); }},
      {"hang", [](const Call& c) { return IgnoreTermAndHang(c); }},
      {"stop", [](const Call&) { return ::raise(SIGSTOP); }},
      {"no result", [](const Call&) { return 0; }},
      {"silent failure", [](const Call&) { return 3; }},
      {"error",
       [](const Call& c) {
         c.Send(ErrorFrame({ErrorKind::kUnsupported, "no such model", "", false}) + "\n");
         return 65;
       }},
      {"throw", [](const Call&) -> int { throw std::runtime_error("shape mismatch"); }},
      {"allocate", [](const Call&) { return Allocate(); }},
      {"allocate in thread",
       [](const Call&) {
         std::thread([] { Allocate(); }).join();
         return 0;
       }},
      {"garbage",
       [](const Call& c) {
         c.Send("\xff\xfe not a frame\n");
         return IgnoreTermAndHang(c);
       }},
      {"forged exit",
       [](const Call& c) {
         c.Send("{\"frame\":\"exit\",\"code\":0,\"signal\":0}\n");
         return IgnoreTermAndHang(c);
       }},
      {"endless line", SendWithoutEnd},
      {"endless frames", SendManyFrames},
      {"print",
       [](const Call& c) {
         std::puts("a library prints");
         std::fflush(stdout);
         return c.Succeed();
       }},
      {"read", ReadFileOf},
      {"write", WriteFileOf},
      {"connect", ConnectTo},
      {"fork", MakeProcess},
      {"exec", RunProgram},
      {"name thread", NameThread},
      {"describe", Describe},
  };
  return behaviours.at(behaviour)(call);
}

}  // namespace
}  // namespace couplingd

extern "C" int couplingd_evaluator_abi() { return COUPLINGD_EVALUATOR_ABI; }

extern "C" int couplingd_evaluate(const char* request_json, int frames_fd) {
  using namespace couplingd;
  const std::string text = request_json;
  const auto request = ParseJson(text, "request");
  FrameWriter frames(frames_fd);
  ++calls;
  return request ? Behave({*request, text, frames, frames_fd}) : 70;
}
