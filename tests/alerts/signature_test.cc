#include "alerts/signature.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace couplingd {
namespace {

// The example that the reference libraries of Standard Webhooks test against
// (github.com/standard-webhooks/standard-webhooks, libraries/python/tests).
constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char kId[] = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr std::int64_t kTimestamp = 1614265330;
constexpr char kBody[] = "{\"test\": 2432232314}";
constexpr char kSignature[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

TEST(Signature, IsThatOfTheReferenceLibraries) {
  const auto keys = ParseSigningKeys(Secret(kSecret));
  ASSERT_TRUE(keys);
  EXPECT_EQ(SignatureHeader(*keys, kId, kTimestamp, kBody).value(), kSignature);
}

TEST(Signature, IsThatOfTheReferenceLibraryOnItsOwnMessages) {
  const JsonDocument fixture =
      ParseJsonFile(COUPLINGD_SOURCE_DIR "/tests/alerts/data/signatures.json").value();
  ASSERT_GE(fixture["cases"].Size(), 5u);
  for (const JsonValue& each : fixture["cases"].GetArray()) {
    const auto keys = ParseSigningKeys(Secret(each["secret"].GetString()));
    ASSERT_TRUE(keys) << keys.error().Text();
    EXPECT_EQ(SignatureHeader(*keys, each["id"].GetString(), each["timestamp"].GetInt64(),
                              each["body"].GetString())
                  .value(),
              each["signature"].GetString());
  }
}

TEST(Signature, ChangesWithIdTimestampAndBody) {
  const auto keys = ParseSigningKeys(Secret(kSecret)).value();
  EXPECT_NE(SignatureHeader(keys, "other", kTimestamp, kBody).value(), kSignature);
  EXPECT_NE(SignatureHeader(keys, kId, kTimestamp + 1, kBody).value(), kSignature);
  EXPECT_NE(SignatureHeader(keys, kId, kTimestamp, "{}").value(), kSignature);
}

TEST(Signature, CarriesOneForEachKeyWhileKeysAreRotated) {
  const std::string both = std::string("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ") + kSecret;
  const auto keys = ParseSigningKeys(Secret(both)).value();
  ASSERT_EQ(keys.size(), 2u);
  const std::string header = SignatureHeader(keys, kId, kTimestamp, kBody).value();
  EXPECT_TRUE(header.ends_with(std::string(" ") + kSignature)) << header;
}

TEST(Signature, RefusesSecretsThatAreShortOrNoBase64WithoutShowingThem) {
  for (const std::string secret : {"", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!not-base64!!!!",
                                   "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_c2hvcnQ="}) {
    const auto keys = ParseSigningKeys(Secret(secret));
    ASSERT_FALSE(keys) << secret;
    EXPECT_EQ(keys.error().Text().find("c2hvcnQ"), std::string::npos);
  }
}

}  // namespace
}  // namespace couplingd
