#include "probes/tokenizer/unigram.h"

#include <gmock/gmock.h>

#include "tests/probes/tokenizer/fixtures.h"

namespace couplingd {
namespace {

using testing::ElementsAre;

// Read exactly, these scores favour b aa a; the library `tokenizers` 0.23.3 gives b a aa.
TEST(UnigramModel, ReadsScoresToTheLastBitAsTheReferenceDoes) {
  const auto tokenizer =
      Unwrap(ParseTokenizer(TokenizerJson(R"({"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],)"
                                          R"(["a",-7.769801135108201],["aa",-9.479797149479861],)"
                                          R"(["b",-8.533949979992503]]})"),
                            "", "test"));
  EXPECT_THAT(Unwrap(tokenizer->Encode("abaaa", false)), ElementsAre(1, 3, 1, 2));
}

TEST(UnigramModel, TakesScoresOfAnySize) {
  const auto tokenizer = Unwrap(ParseTokenizer(
      TokenizerJson(R"({"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1e-310],)"
                    R"(["aa",-5],["b",-1.5e300]]})"),
      "", "test"));
  EXPECT_THAT(Unwrap(tokenizer->Encode("aab", false)), ElementsAre(1, 1, 3));
}

}  // namespace
}  // namespace couplingd
