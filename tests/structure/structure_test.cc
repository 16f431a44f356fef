// Rules of the source tree that no compiler checks.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "base/process.h"

namespace couplingd {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = COUPLINGD_SOURCE_DIR;
const std::vector<std::string> kRooms = {"base",   "records",  "config", "history",
                                         "probes", "coupling", "alerts", "queries",
                                         "daemon", "cli",      "demo"};

struct Source {
  std::string path;  // from the root
  std::string room;
  std::vector<std::string> lines;
};

std::vector<Source> Sources(const std::vector<std::string>& rooms) {
  std::vector<Source> sources;
  for (const std::string& room : rooms) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / room)) {
      const std::string extension = entry.path().extension();
      if (extension != ".cc" && extension != ".h" && extension != ".cu") continue;
      Source source{fs::relative(entry.path(), kRoot), room, {}};
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) source.lines.push_back(line);
      sources.push_back(std::move(source));
    }
  }
  return sources;
}

// The name between quotes or brackets of an include line, or "".
std::string Included(const std::string& line) {
  static const std::regex kInclude("^\\s*#include [<\"]([^>\"]+)[>\"]");
  std::smatch match;
  return std::regex_search(line, match, kInclude) ? match[1].str() : "";
}

TEST(Structure, ARoomIncludesOnlyRoomsThatStandBeforeIt) {
  const std::map<std::string, std::vector<std::string>> never = {
      {"probes", {"coupling", "alerts", "config", "history"}},
      {"coupling", {"probes", "alerts", "config", "history"}},
      {"alerts", {"probes", "coupling"}}};
  for (const Source& source : Sources(kRooms)) {
    const auto own = std::find(kRooms.begin(), kRooms.end(), source.room);
    for (const std::string& line : source.lines) {
      const std::string room = Included(line).substr(0, Included(line).find('/'));
      const auto other = std::find(kRooms.begin(), kRooms.end(), room);
      if (other == kRooms.end()) continue;
      EXPECT_LE(other - kRooms.begin(), own - kRooms.begin()) << source.path << ": " << line;
      const auto banned = never.find(source.room);
      if (banned == never.end()) continue;
      const bool is_score_file =
          Included(line) == "history/score_file.h";  // the worker writes these
      EXPECT_TRUE(is_score_file ||
                  std::count(banned->second.begin(), banned->second.end(), room) == 0 ||
                  (source.room == "alerts"))
          << source.path << ": " << line;
    }
  }
}

TEST(Structure, ALibraryIsIncludedOnlyWhereItBelongs) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> homes = {
      {"^sqlite3\\.h", {"history/"}},
      {"^curl/", {"base/"}},
      {"^yaml-cpp/", {"config/"}},
      {"^(ATen|torch|c10)/",
       {"probes/model/", "probes/scoring/", "probes/internals/", "probes/device/",
        "probes/evaluator/", "probes/cuda/", "demo/"}},
      {"^cuda", {"probes/cuda/"}}};
  for (const Source& source : Sources(kRooms)) {
    for (const std::string& line : source.lines) {
      const std::string included = Included(line);
      for (const auto& [pattern, folders] : homes) {
        if (!std::regex_search(included, std::regex(pattern))) continue;
        const bool at_home =
            std::any_of(folders.begin(), folders.end(),
                        [&](const std::string& folder) { return source.path.starts_with(folder); });
        EXPECT_TRUE(at_home) << source.path << ": " << line;
      }
    }
  }
}

TEST(Structure, NoSourceFileIsMuchLongerThanFourHundredLines) {
  for (const Source& source : Sources(kRooms)) EXPECT_LE(source.lines.size(), 420u) << source.path;
}

TEST(Structure, NothingIsLeftUnfinished) {
  const std::regex unfinished("TODO|FIXME|\\bXXX\\b|not yet implemented|unimplemented");
  for (const Source& source : Sources(kRooms)) {
    for (const std::string& line : source.lines) {
      EXPECT_FALSE(std::regex_search(line, unfinished)) << source.path << ": " << line;
    }
  }
}

TEST(Structure, DaemonAndCommandLineDoNotLinkLibtorch) {
  for (const char* program : {"couplingd", "couplingctl", "couplingd-probe"}) {
    const std::string path = std::string(COUPLINGD_BINARY_DIR) + "/" + program;
    ProcessOptions options;
    options.arguments = {"ldd", path};
    options.environment = MinimalEnvironment();
    const auto output = RunProcess(options, "", std::chrono::seconds(20));
    ASSERT_TRUE(output) << output.error().Text();
    ASSERT_TRUE(output->exit.ok()) << output->err;
    EXPECT_EQ(output->out.find("torch"), std::string::npos) << program << " links " << output->out;
    EXPECT_EQ(output->out.find("libc10"), std::string::npos) << program;
  }
}

}  // namespace
}  // namespace couplingd
