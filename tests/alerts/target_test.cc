#include "alerts/target.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using testing::ResolvesTo;

UrlParts Parts(const std::string& url) { return ParseUrl(Secret(url)).value(); }

TEST(Target, ClassifiesAddressesAsTheirRegistriesDo) {
  const std::pair<const char*, AddressClass> cases[] = {
      {"93.184.216.34", AddressClass::kPublic},
      {"2606:4700::1111", AddressClass::kPublic},
      {"127.0.0.1", AddressClass::kPrivate},
      {"127.255.255.254", AddressClass::kPrivate},
      {"10.1.2.3", AddressClass::kPrivate},
      {"172.16.0.1", AddressClass::kPrivate},
      {"172.31.255.255", AddressClass::kPrivate},
      {"172.32.0.1", AddressClass::kPublic},
      {"192.168.1.1", AddressClass::kPrivate},
      {"100.64.0.1", AddressClass::kPrivate},
      {"100.128.0.1", AddressClass::kPublic},
      {"::1", AddressClass::kPrivate},
      {"fd00::1", AddressClass::kPrivate},
      {"::ffff:10.0.0.1", AddressClass::kPrivate},
      {"::ffff:93.184.216.34", AddressClass::kPublic},
      {"64:ff9b::127.0.0.1", AddressClass::kPrivate},
      {"64:ff9b::a9fe:a9fe", AddressClass::kForbidden},
      {"2002:7f00:1::", AddressClass::kPrivate},
      {"169.254.169.254", AddressClass::kForbidden},
      {"::ffff:169.254.169.254", AddressClass::kForbidden},
      {"fe80::1", AddressClass::kForbidden},
      {"fec0::1", AddressClass::kForbidden},
      {"0.0.0.0", AddressClass::kForbidden},
      {"::", AddressClass::kForbidden},
      {"224.0.0.1", AddressClass::kForbidden},
      {"255.255.255.255", AddressClass::kForbidden},
      {"ff02::1", AddressClass::kForbidden},
      {"not an address", AddressClass::kForbidden},
  };
  for (const auto& [address, expected] : cases) EXPECT_EQ(ClassOf(address), expected) << address;
}

TEST(Target, SeesThroughTheSpellingsOfLoopback) {
  for (const char* url :
       {"http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/",
        "http://[::ffff:127.0.0.1]/", "https://[::1]:8443/x", "http://user:password@127.0.0.1/"}) {
    const Status refused = CheckUrl(Parts(url), false);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().kind, ErrorKind::kPermission) << url;
    EXPECT_TRUE(CheckUrl(Parts(url), true)) << url;
  }
}

TEST(Target, NeverAllowsLinkLocalAddresses) {
  EXPECT_FALSE(CheckUrl(Parts("http://169.254.169.254/latest"), true));
  EXPECT_FALSE(
      AllowedAddresses(Parts("https://metadata.example/"), true, ResolvesTo({"169.254.169.254"})));
}

TEST(Target, RefusesANameOfWhichOneAddressIsPrivate) {
  const auto allowed = AllowedAddresses(Parts("https://mixed.example/"), false,
                                        ResolvesTo({"93.184.216.34", "10.0.0.7"}));
  ASSERT_FALSE(allowed);
  EXPECT_EQ(allowed.error().kind, ErrorKind::kPermission);
  EXPECT_NE(allowed.error().hint.find("allow_private"), std::string::npos);
}

TEST(Target, NeedsEncryptionForPublicAddressesOnly) {
  const auto resolve = ResolvesTo({"93.184.216.34"});
  EXPECT_FALSE(AllowedAddresses(Parts("http://public.example/"), true, resolve));
  EXPECT_EQ(AllowedAddresses(Parts("https://public.example/"), false, resolve).value(),
            std::vector<std::string>{"93.184.216.34"});
  EXPECT_TRUE(AllowedAddresses(Parts("http://inside.example/"), true, ResolvesTo({"10.0.0.1"})));
}

TEST(Target, RefusesOtherSchemes) {
  EXPECT_FALSE(CheckUrl(Parts("ftp://example.com/"), true));
  EXPECT_FALSE(ParseUrl(Secret("no url at all\x01")).has_value());
}

}  // namespace
}  // namespace couplingd
