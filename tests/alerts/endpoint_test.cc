#include "alerts/endpoint.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

using namespace std::chrono_literals;

constexpr UnixMillis kNow = 1795442700000;  // 2026-11-23T14:05:00Z

TEST(RetryAfter, IsReadAsSecondsOrDateAndKeptWithinItsBounds) {
  EXPECT_EQ(ParseRetryAfter("30", kNow), 30s);
  EXPECT_EQ(ParseRetryAfter("0", kNow), 1s);
  EXPECT_EQ(ParseRetryAfter("-1", kNow), 1s);
  EXPECT_EQ(ParseRetryAfter("1e18", kNow), 3600s);
  EXPECT_EQ(ParseRetryAfter("inf", kNow), 3600s);
  EXPECT_EQ(ParseRetryAfter("nan", kNow), std::nullopt);
  EXPECT_EQ(ParseRetryAfter("soon", kNow), std::nullopt);
  EXPECT_EQ(ParseRetryAfter("", kNow), std::nullopt);
  EXPECT_EQ(ParseRetryAfter("Mon, 23 Nov 2026 14:05:42 GMT", kNow), 42s);
  EXPECT_EQ(ParseRetryAfter("Mon, 23 Nov 2020 14:05:42 GMT", kNow), 1s);
  EXPECT_EQ(ParseRetryAfter("Fri, 23 Nov 2096 14:05:42 GMT", kNow), 3600s);
}

TEST(Redactor, RemovesTheUrlAndEveryLongPartOfIt) {
  const Redactor redactor(
      {Secret("https://user:hunter2hunter2@hooks.example/services/T0000SECRET/B1?key=abcdefghij")});
  const std::string text = redactor.Clean(
      "POST /services/T0000SECRET/B1?key=abcdefghij failed for hunter2hunter2, T0000SECRET and "
      "abcdefghij");
  for (const char* secret : {"T0000SECRET", "hunter2hunter2", "abcdefghij"}) {
    EXPECT_EQ(text.find(secret), std::string::npos) << text;
  }
  EXPECT_NE(text.find("<redacted>"), std::string::npos);
}

TEST(Redactor, FindsSecretsThatOnlyShowOnceControlCharactersAreGone) {
  const Redactor redactor({Secret("https://hooks.example/secret token")});
  EXPECT_EQ(redactor.Clean("secret\ttoken").find("secret"), std::string::npos);
}

TEST(Redactor, KeepsPrintableTextOfAtMostTwoHundredCharacters) {
  const Redactor redactor({});
  EXPECT_EQ(redactor.Clean("a\x1b[31m\r\nb\xc2\x9b\xe2\x80\xae"
                           "c"),
            "a [31m b c");
  EXPECT_EQ(redactor.Clean("\xff\xfe ok"), "\xef\xbf\xbd\xef\xbf\xbd ok");
  std::string wide;
  for (int i = 0; i < 300; ++i) wide += "é";
  std::string expected;
  for (int i = 0; i < 200; ++i) expected += "é";
  EXPECT_EQ(redactor.Clean(wide), expected + "…");
}

TEST(Redactor, ShowsNoPartOfASecretThatTheCutRunsThrough) {
  const std::string secret = "SECRETSECRETSECRETSECRET";
  const Redactor redactor({Secret(secret)});
  std::string body;
  while (body.size() < 40000) body += secret;
  for (std::size_t shift = 0; shift < secret.size(); ++shift) {
    const std::string text = redactor.Clean(std::string(shift, ' ') + body, 1 << 20);
    EXPECT_EQ(text.find("SECRET"), std::string::npos) << shift;
  }
}

}  // namespace
}  // namespace couplingd
