#include "alerts/message.h"

#include <fmt/format.h>

#include <algorithm>

#include "records/finding_fields.h"

namespace couplingd {
namespace {

// A word of a shell command; quoted where it has to be.
std::string ShellWord(const std::string& text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) ||
           std::string_view("_-./,:=+@").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// "--run NAME" or "--family NAME", whichever the finding is about.
std::string Selection(const Finding& finding) {
  const std::string run = LabelOf(finding, "run");
  if (!run.empty()) return "--run " + ShellWord(run);
  return "--family " + ShellWord(finding.run);
}

std::string CouplingCommand(const Finding& finding) {
  return fmt::format("couplingctl coupling {} --axes {} --over {}", Selection(finding),
                     ShellWord(LabelOf(finding, "axes")), ShellWord(LabelOf(finding, "over")));
}

std::string ForecastCommand(const Finding& finding) {
  return fmt::format("couplingctl forecast {} --axes {}", Selection(finding),
                     ShellWord(LabelOf(finding, "axes")));
}

std::string CheckpointsCommand(const Finding& finding) {
  return fmt::format("couplingctl checkpoints {}", Selection(finding));
}

struct Look {
  std::string_view kind;
  std::string (*command)(const Finding&);
};

constexpr Look kLooks[] = {
    {"phase", CouplingCommand},
    {"sign_change", ForecastCommand},
    {"evaluation_failing", CheckpointsCommand},
    {"checkpoint_overdue", CheckpointsCommand},
    {"bad_checkpoint", CheckpointsCommand},
};

}  // namespace

std::string_view StateWord(const AlertNews& news) {
  if (news.alert.is_test) return "TEST";
  if (news.alert.state == AlertState::kFiring) {
    return news.delivery.repeat > 0 ? "STILL FIRING" : "FIRING";
  }
  return news.told_firing ? "RESOLVED" : "FIRED AND RESOLVED";
}

std::string LookCommand(const Finding& finding) {
  for (const Look& look : kLooks) {
    if (look.kind == finding.kind) return look.command(finding);
  }
  return "couplingctl alerts";
}

}  // namespace couplingd
