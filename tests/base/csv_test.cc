#include "base/csv.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace couplingd {
namespace {

TEST(Csv, ReadsQuotedFieldsWithLineBreaks) {
  const auto rows = ParseCsv(
      "\xEF\xBB\xBF"
      "a,\"b \"\"c\"\"\r\nd\",\r\n\r\n\"\",2,3\nlast,5,6",
      "f");
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 3u);
  EXPECT_EQ((*rows)[0].fields, (std::vector<std::string>{"a", "b \"c\"\r\nd", ""}));
  EXPECT_EQ((*rows)[1].fields, (std::vector<std::string>{"", "2", "3"}));
  EXPECT_EQ((*rows)[1].line, 4u);
  EXPECT_EQ((*rows)[2].fields[2], "6");
}

TEST(Csv, RefusesWhatIsNoCsv) {
  EXPECT_EQ(ParseCsv("a\n\"b\nc", "f").error().message, "f:2: a quote is opened and never closed");
  EXPECT_EQ(ParseCsv("a\n\"b\"c\n", "f").error().message,
            "f:2: a closing quote must be followed by a comma or the end of the line");
}

TEST(CsvTable, NamesItsColumnsAndRefusesRaggedRows) {
  const auto table = CsvTable::Parse("a,b\n1,2\n", "f");
  ASSERT_TRUE(table);
  EXPECT_EQ(*table->Column("b"), 1u);
  EXPECT_EQ(table->Column("c").error().message, "f: no column \"c\"; it has a, b");
  EXPECT_EQ(CsvTable::Parse("a,b\n1\n", "f").error().message, "f:2: 1 fields under a header of 2");
  EXPECT_EQ(CsvTable::Parse("a,b\n", "f").error().message, "f: no row below a header line");
}

TEST(CheckTextFile, NamesTheLineThatIsNoText) {
  EXPECT_TRUE(CheckTextFile("aé漢😀\n", "f"));
  EXPECT_EQ(CheckTextFile("a\n\xC0\x80\n", "f").error().message, "f:2: text that is not UTF-8");
  EXPECT_EQ(CheckTextFile(std::string_view("a\0", 2), "f").error().message, "f:1: a NUL byte");
}

}  // namespace
}  // namespace couplingd
