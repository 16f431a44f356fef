#include "config/example.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "base/files.h"
#include "config/tables.h"

namespace couplingd {
namespace {

const std::string kExamplePath = COUPLINGD_SOURCE_DIR "/config/couplingd.example.yaml";

TEST(ExampleConfig, IsTheTextThatTheTableMakes) {
  const auto text = ReadFile(kExamplePath);
  ASSERT_TRUE(text) << text.error().Text();
  EXPECT_EQ(*text, ExampleConfigText())
      << "a key was changed: write the new text with `couplingctl init --example > "
         "config/couplingd.example.yaml`";
}

TEST(ExampleConfig, IsReadWithoutAProblem) {
  const auto config = LoadConfig(kExamplePath);
  ASSERT_TRUE(config) << config.error().Text();
  EXPECT_EQ(config->runs.size(), 1u);
}

// Read from the file by its text alone, so that a fault of the writer shows.
TEST(ExampleConfig, HoldsEveryDefaultOfTheStructs) {
  const auto config = LoadConfig(kExamplePath);
  ASSERT_TRUE(config) << config.error().Text();
  const Config defaults;
  EXPECT_EQ(config->store.path, defaults.store.path);
  EXPECT_EQ(config->server.listen, defaults.server.listen);
  EXPECT_EQ(config->watch.full_scan_interval, defaults.watch.full_scan_interval);
  EXPECT_EQ(config->watch.quiet_network, defaults.watch.quiet_network);
  EXPECT_EQ(config->evaluation.timeout, defaults.evaluation.timeout);
  EXPECT_EQ(config->evaluation.memory_limit, defaults.evaluation.memory_limit);
  EXPECT_EQ(config->evaluation.attempts, defaults.evaluation.attempts);
  EXPECT_EQ(config->coupling.replicates, defaults.coupling.replicates);
  EXPECT_EQ(config->coupling.bounds.tax, defaults.coupling.bounds.tax);
  EXPECT_EQ(config->runs[0].schedule.every, RunConfig().schedule.every);
  EXPECT_EQ(config->runs[0].tokens_per_step, RunConfig().tokens_per_step);
  EXPECT_EQ(config->rules[1].probability, RuleConfig().probability);
  EXPECT_EQ(config->rules[0].false_alarm_rate, RuleConfig().false_alarm_rate);
  EXPECT_EQ(config->rules[0].margin, RuleConfig().margin);
  EXPECT_EQ(config->rules[1].horizon, RuleConfig().horizon);
  EXPECT_EQ(config->sinks[0].timeout, SinkConfig().timeout);
}

// Every member of the structs in config.h must be reachable by a key: their names are compared with
// the example's keys.
TEST(ExampleConfig, HasAKeyForEveryMemberAndNoOther) {
  const auto header = ReadFile(COUPLINGD_SOURCE_DIR "/config/config.h");
  const auto example = ReadFile(kExamplePath);
  ASSERT_TRUE(header && example);
  std::set<std::string> members, keys;
  // A member is a line of a struct that declares something and is no function, comment or
  // enumerator.
  const std::regex member(R"(\n  [\w:]+(?:<[^;\n]*>)?\s+(\w+)(?:\s*=\s*[^;]*|\{[^;]*\})?;)");
  for (std::sregex_iterator it(header->begin(), header->end(), member), end; it != end; ++it)
    members.insert((*it)[1]);
  const std::regex key(R"(\n *(# |- )?([a-z_]+):( |\n))");
  for (std::sregex_iterator it(example->begin(), example->end(), key), end; it != end; ++it)
    keys.insert((*it)[2]);
  for (const char* word : {"tax", "bonus", "reasoning", "truthfulness", "level"})
    members.insert(word);  // of records/
  for (const char* prose : {"local", "webhook"}) keys.erase(prose);
  EXPECT_EQ(keys, members);
}

}  // namespace
}  // namespace couplingd
