#include "probes/checkpoint/pickle/pickle.h"

#include <gmock/gmock.h>

#include "zip_builder.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

Result<PickleDocument> Parse(const std::string& text, const PickleLimits& limits = {}) {
  return ParsePickle(std::make_shared<const std::string>(text), 0, "test", limits);
}

std::string ErrorOf(const std::string& text, const PickleLimits& limits = {}) {
  const auto parsed = Parse(text, limits);
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().kind, ErrorKind::kInvalidData);
  return parsed.error().message;
}

std::string Many(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(Pickle, ReadsScalarsAndContainers) {
  const std::string whole = std::string("\x80\x02}(") + Text("a") + Int(-3) + Text("b") +
                            "G\x40\x04" + std::string(6, '\0') + Text("c") + "](N\x88\x89K\x07" +
                            "e" + Text("d") + std::string("\x8a\x02\x00\xff", 4) + "u.";
  const auto read = Parse(whole);
  ASSERT_TRUE(read) << read.error().Text();
  EXPECT_EQ(read->end(), whole.size());
  EXPECT_EQ(FindItem(read->root(), "a")->integer, -3);
  EXPECT_EQ(FindItem(read->root(), "b")->number, 2.5);
  EXPECT_EQ(FindItem(read->root(), "c")->elements.size(), 4u);
  EXPECT_EQ(FindItem(read->root(), "d")->integer, -256);
  EXPECT_EQ(FindItem(read->root(), "e"), nullptr);
}

TEST(Pickle, KeepsObjectsAsRecords) {
  const auto parsed = Parse("\x80\x02" + Global("argparse", "Namespace") + ")\x81}" +
                            Text("layers") + Int(4) + "sb.");
  ASSERT_TRUE(parsed) << parsed.error().Text();
  EXPECT_TRUE(IsGlobal(ClassOf(parsed->root()), "argparse", "Namespace"));
  EXPECT_EQ(FindAttribute(parsed->root(), "layers")->integer, 4);
  EXPECT_EQ(FindAttribute(parsed->root(), "heads"), nullptr);
}

TEST(Pickle, TakesAListThatHoldsItself) {
  const auto parsed = Parse("\x80\x02]q" + Number(0, 1) + "h" + Number(0, 1) + "a.");
  ASSERT_TRUE(parsed) << parsed.error().Text();
  EXPECT_EQ(ElementAt(parsed->root(), 0), parsed->root());
}

TEST(Pickle, RefusesWhatOnlyOtherProtocolsUse) {
  for (const std::string opcode :
       {"i", "o", "I", "S", "V", "P", "\x82", "\x97", "\xff", "F", "g"}) {
    EXPECT_THAT(ErrorOf("\x80\x02" + opcode + "0\n0\n."), HasSubstr("is not one that")) << opcode;
  }
  EXPECT_THAT(ErrorOf("\x80\x06N."), HasSubstr("protocol 6"));
}

TEST(Pickle, RefusesAStackThatDoesNotHoldWhatIsNeeded) {
  for (const std::string text : {"\x80\x02.", "R.", "t.", "NR.", "]a.", "}Ns.", "(", "NN.", "(N.",
                                 "b.", "Q.", "\x93.", "\x86.", "u.", "e.", "0."}) {
    EXPECT_NE(ErrorOf(text), "accepted") << text;
  }
  EXPECT_THAT(ErrorOf("NNa."), HasSubstr("no list"));
  EXPECT_THAT(ErrorOf("NNNs."), HasSubstr("no dictionary"));
  EXPECT_THAT(ErrorOf("}(Nu."), HasSubstr("without a value"));
  EXPECT_THAT(ErrorOf("NN\x93."), HasSubstr("no strings"));
  EXPECT_THAT(ErrorOf("NNR."), HasSubstr("no tuple"));
}

TEST(Pickle, RefusesMemoEntriesThatWereNeverStored) {
  EXPECT_THAT(ErrorOf("h" + Number(7, 1) + "."), HasSubstr("never stored"));
  EXPECT_THAT(ErrorOf("Nr" + Number(4'000'000'000, 4) + "."), HasSubstr("memo entry 4000000000"));
}

TEST(Pickle, StaysWithinItsMemory) {
  EXPECT_THAT(ErrorOf(Many("]", 100000), {.max_memory = 1 << 20}), HasSubstr("bytes of memory"));
  EXPECT_THAT(ErrorOf(Many("N2", 100000), {.max_memory = 1 << 20}), HasSubstr("bytes of memory"));
  EXPECT_THAT(ErrorOf("](" + Many("N", 100) + Many("2", 400000) + "e.", {.max_memory = 1 << 20}),
              HasSubstr("bytes of memory"));
  EXPECT_THAT(ErrorOf("X" + Number(4'000'000'000, 4)), HasSubstr("a string of 4000000000 bytes"));
  EXPECT_THAT(ErrorOf("\x8d" + Number(~0ull, 8)), HasSubstr("a string of"));
  EXPECT_THAT(ErrorOf(Many("(", 1001)), HasSubstr("nested more than 1000"));
}

TEST(Pickle, SaysThatItEndsTooEarly) {
  const std::string whole =
      "\x80\x02}" + Text("key") + Global("torch", "Size") + "(" + Int(4) + "tRs.";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto parsed = Parse(whole.substr(0, size));
    ASSERT_FALSE(parsed) << size;
    EXPECT_TRUE(parsed.error().retryable) << size << parsed.error().Text();
  }
  EXPECT_TRUE(Parse(whole));
}

TEST(Pickle, RefusesTextThatIsNotUtf8) {
  EXPECT_THAT(ErrorOf(Text("\xff\xfe") + "."), HasSubstr("not UTF-8"));
}

}  // namespace
}  // namespace couplingd
