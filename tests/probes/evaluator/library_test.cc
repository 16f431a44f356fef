// The library as couplingd-probe uses it.
#include <dlfcn.h>
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "base/files.h"
#include "base/json.h"
#include "probes/worker/evaluator_abi.h"
#include "tests/probes/evaluator/tiny_checkpoint.h"

namespace couplingd {
namespace {

using testing::HasSubstr;

class EvaluatorLibrary : public testing::Test {
 protected:
  void SetUp() override {
    library_ = ::dlopen(COUPLINGD_BINARY_DIR "/libcouplingd_evaluator.so", RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr) << ::dlerror();
    abi_ = reinterpret_cast<decltype(abi_)>(::dlsym(library_, "couplingd_evaluator_abi"));
    evaluate_ = reinterpret_cast<decltype(evaluate_)>(::dlsym(library_, "couplingd_evaluate"));
    ASSERT_NE(abi_, nullptr);
    ASSERT_NE(evaluate_, nullptr);
  }

  // The exit status and the last frame. A pipe holds what one small evaluation sends.
  std::pair<int, std::string> Call(const std::string& request) const {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const FileDescriptor in(ends[0]);
    FileDescriptor out(ends[1]);
    const int status = evaluate_(request.c_str(), out.get());
    out.Close();
    std::string text(65536, '\0');
    text.resize(static_cast<std::size_t>(::read(in.get(), text.data(), text.size())));
    text.pop_back();
    return {status, text.substr(text.rfind('\n') + 1)};
  }

  void* library_ = nullptr;
  decltype(&couplingd_evaluator_abi) abi_ = nullptr;
  decltype(&couplingd_evaluate) evaluate_ = nullptr;
};

TEST_F(EvaluatorLibrary, AnswersWithAResultFrame) {
  EXPECT_EQ(abi_(), COUPLINGD_EVALUATOR_ABI);
  const TinyCheckpoint tiny;
  const auto [status, frame] = Call(tiny.RequestJson(TinyPack()));
  EXPECT_EQ(status, 0) << frame;
  const JsonDocument json = ParseJson(frame, "frame").value();
  EXPECT_EQ(GetString(json, "frame", "frame").value(), "result");
}

TEST_F(EvaluatorLibrary, AnswersABadRequestWithAnErrorFrame) {
  const auto [status, frame] = Call(R"({"checkpoint": 7})");
  EXPECT_EQ(status, ExitCode(ErrorKind::kInvalidData));
  EXPECT_THAT(frame, HasSubstr(R"("frame":"error")"));
  EXPECT_THAT(frame, HasSubstr("checkpoint"));
}

// Names that the dynamic symbol table defines.
std::set<std::string> Exports(const std::string& file) {
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(file.data());
  const auto* sections = reinterpret_cast<const Elf64_Shdr*>(file.data() + header->e_shoff);
  std::set<std::string> names;
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_DYNSYM) continue;
    const char* strings = file.data() + sections[sections[i].sh_link].sh_offset;
    const auto* symbols = reinterpret_cast<const Elf64_Sym*>(file.data() + sections[i].sh_offset);
    for (std::size_t at = 0; at < sections[i].sh_size / sizeof(Elf64_Sym); ++at) {
      if (symbols[at].st_shndx != SHN_UNDEF) names.insert(strings + symbols[at].st_name);
    }
  }
  return names;
}

TEST_F(EvaluatorLibrary, ExportsItsTwoFunctionsAndNothingElse) {
  const std::string file =
      ReadFile(COUPLINGD_BINARY_DIR "/libcouplingd_evaluator.so", std::size_t{1} << 30).value();
  EXPECT_THAT(Exports(file), testing::ElementsAre("couplingd_evaluate", "couplingd_evaluator_abi"));
}

}  // namespace
}  // namespace couplingd
