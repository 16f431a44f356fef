// No address in data/inside_urls.txt is ever connected to unless the sink allows private ones, seen
// by listeners on this machine's own addresses.
#include <gtest/gtest.h>
#include <poll.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <optional>
#include <sstream>

#include "alerts/heartbeat.h"
#include "tests/alerts/local_server.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;
using testing::ExampleNotification;
using testing::FakeHttpClient;
using testing::LocalServer;
using testing::ServedAnswer;
using testing::ServedRequest;
using testing::TemporaryFolder;
using tcp = boost::asio::ip::tcp;

// Listens on all addresses of this machine, IPv4 and (where there is one) IPv6, on one port.
class Listener {
 public:
  Listener() {
    four_.emplace(context_, tcp::endpoint(tcp::v4(), 0));
    boost::system::error_code error;
    six_.emplace(context_);
    six_->open(tcp::v6(), error);
    if (!error) six_->set_option(boost::asio::ip::v6_only(true), error);
    if (!error) six_->bind(tcp::endpoint(tcp::v6(), Port()), error);
    if (!error) six_->listen(boost::asio::socket_base::max_listen_connections, error);
    if (error) six_.reset();
  }
  unsigned short Port() const { return four_->local_endpoint().port(); }
  // Takes what has connected since the last call.
  int Connections() {
    int count = Take(*four_);
    if (six_) count += Take(*six_);
    return count;
  }

 private:
  int Take(tcp::acceptor& acceptor) {
    int count = 0;
    pollfd polled{acceptor.native_handle(), POLLIN, 0};
    while (::poll(&polled, 1, 0) > 0) {
      acceptor.accept();
      ++count;
    }
    return count;
  }

  boost::asio::io_context context_;
  std::optional<tcp::acceptor> four_, six_;
};

struct Line {
  std::string url;
  std::vector<std::string> addresses;  // what its name resolves to; empty: nothing resolves
};

std::vector<Line> Corpus(unsigned short port) {
  const std::string text =
      ReadFile(COUPLINGD_SOURCE_DIR "/tests/alerts/data/inside_urls.txt").value();
  std::vector<Line> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t at = line.find("{port}");
    if (at != std::string::npos) line.replace(at, 6, std::to_string(port));
    std::istringstream words(line);
    Line& entry = lines.emplace_back();
    std::string addresses;
    words >> entry.url >> addresses;
    std::istringstream list(addresses);
    for (std::string address; std::getline(list, address, ',');) entry.addresses.push_back(address);
  }
  return lines;
}

HostResolver Resolves(const Line& line) {
  return [line](const std::string&) -> Result<std::vector<std::string>> {
    if (line.addresses.empty()) return Fail(ErrorKind::kUnavailable, "no such name", "", true);
    return line.addresses;
  };
}

class InsideUrls : public ::testing::Test {
 protected:
  SinkConfig ConfigFor(const std::string& kind, const std::string& url) {
    SinkConfig config{.name = "sink", .kind = kind};
    config.url_file = folder_.File("url", url);
    config.timeout = 500ms;
    return config;
  }

  const TemporaryFolder folder_;
  const SystemClock clock_;
  const std::unique_ptr<HttpClient> http_ = MakeCurlHttpClient();
};

TEST_F(InsideUrls, AreNeverConnectedTo) {
  Listener listener;
  const std::vector<Line> corpus = Corpus(listener.Port());
  ASSERT_GE(corpus.size(), 60u);
  for (const std::string kind : {"webhook", "alertmanager"}) {
    for (const Line& line : corpus) {
      const SinkServices services{*http_, clock_, Resolves(line)};
      auto sinks = MakeSinks({ConfigFor(kind, line.url)}, services);
      if (sinks) {
        const auto outcome = sinks->front()->Send(ExampleNotification(), {});
        EXPECT_NE(outcome.result, DeliveryResult::kDelivered) << line.url;
      }
      EXPECT_EQ(listener.Connections(), 0) << kind << " " << line.url;
    }
  }
}

// Otherwise the test above would show nothing.
TEST_F(InsideUrls, AreConnectedToWhereTheSinkAllowsIt) {
  Listener listener;
  int connected = 0;
  for (const Line& line : Corpus(listener.Port())) {
    SinkConfig config = ConfigFor("webhook", line.url);
    config.allow_private = true;
    config.timeout = 150ms;
    auto sinks = MakeSinks({config}, {*http_, clock_, Resolves(line)});
    if (!sinks || line.url.find("127") == std::string::npos) continue;
    sinks->front()->Send(ExampleNotification(), {});
    connected += listener.Connections() > 0;
  }
  EXPECT_GE(connected, 15);
}

TEST_F(InsideUrls, AreNotFollowedToByRedirect) {
  Listener listener;
  for (const int status : {301, 302, 303, 307, 308}) {
    LocalServer server([&](const ServedRequest&) {
      return ServedAnswer{
          .status = status,
          .headers = {{"Location", "http://127.0.0.1:" + std::to_string(listener.Port()) + "/"}}};
    });
    SinkConfig config = ConfigFor("webhook", server.Url("/"));
    config.allow_private = true;
    auto sinks = MakeSinks({config}, {*http_, clock_});
    EXPECT_NE(sinks->front()->Send(ExampleNotification(), {}).result, DeliveryResult::kDelivered);
  }
  EXPECT_EQ(listener.Connections(), 0);
}

// A name that is public when it is checked and loopback a moment later.
TEST_F(InsideUrls, AreNotReachedByANameThatChangesItsMind) {
  FakeHttpClient http([](const HttpRequest&) { return HttpResponse{.status = 500}; });
  int asked = 0;
  const HostResolver rebinding = [&](const std::string&) -> Result<std::vector<std::string>> {
    return std::vector<std::string>{++asked % 2 == 1 ? "93.184.216.34" : "127.0.0.1"};
  };
  auto sinks =
      MakeSinks({ConfigFor("webhook", "https://rebind.example/")}, {http, clock_, rebinding});
  for (int turn = 0; turn < 4; ++turn) sinks->front()->Send(ExampleNotification(), {});
  EXPECT_EQ(asked, 4) << "each delivery asks once";
  ASSERT_EQ(http.Requests().size(), 2u);
  for (const HttpRequest& request : http.Requests()) {
    EXPECT_EQ(request.addresses, std::vector<std::string>{"93.184.216.34"});
  }
}

TEST_F(InsideUrls, AreNotReachedThroughAProxyOfTheEnvironment) {
  Listener listener;
  const std::string proxy = "http://127.0.0.1:" + std::to_string(listener.Port());
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    ::setenv(name, proxy.c_str(), 1);
  }
  LocalServer server([](const ServedRequest&) { return ServedAnswer{}; });
  SinkConfig config = ConfigFor("webhook", server.Url("/"));
  config.allow_private = true;
  auto sinks = MakeSinks({config}, {*http_, clock_});
  EXPECT_EQ(sinks->front()->Send(ExampleNotification(), {}).result, DeliveryResult::kDelivered);
  EXPECT_EQ(listener.Connections(), 0);
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    ::unsetenv(name);
  }
}

TEST_F(InsideUrls, AreRefusedToTheHeartbeatToo) {
  HeartbeatConfig config;
  config.url_file = folder_.File("url", "http://127.0.0.1:1/");
  const auto heartbeat =
      Heartbeat::Start(config, {*http_, clock_}, [](bool, const std::string&) {});
  ASSERT_FALSE(heartbeat);
  EXPECT_NE(heartbeat.error().Text().find("allow_private"), std::string::npos);
}

TEST(Proxy, ThatTheSinkNamesIsAskedWithItsPassword) {
  const TemporaryFolder folder;
  const SystemClock clock;
  const auto http = MakeCurlHttpClient();
  LocalServer proxy([](const ServedRequest& request) {
    return ServedAnswer{.status = request.method == "CONNECT" ? 407 : 200, .body = "seen"};
  });
  SinkConfig config{.name = "sink", .kind = "webhook"};
  config.url_file = folder.File("url", "http://10.1.2.3/hook");
  config.proxy_file = folder.File("proxy", "http://us:secretpassword@" + proxy.Url("").substr(7));
  config.allow_private = true;
  const HostResolver never = [](const std::string&) -> Result<std::vector<std::string>> {
    return Fail(ErrorKind::kUnavailable, "names are the proxy's matter");
  };
  auto sinks = MakeSinks({config}, {*http, clock, never});
  ASSERT_TRUE(sinks) << sinks.error().Text();
  EXPECT_EQ(sinks->front()->Send(ExampleNotification(), {}).result, DeliveryResult::kDelivered);
  ASSERT_EQ(proxy.Requests().size(), 1u);
  EXPECT_EQ(proxy.Requests()[0].target, "http://10.1.2.3/hook");
  EXPECT_TRUE(proxy.Requests()[0].headers.contains("proxy-authorization"));

  config.url_file = folder.File("url", "https://hooks.example/hook");
  sinks = MakeSinks({config}, {*http, clock, never});
  const auto refused = sinks->front()->Send(ExampleNotification(), {});
  EXPECT_EQ(refused.result, DeliveryResult::kRetry);
  EXPECT_EQ(refused.text.find("secretpassword"), std::string::npos);
  EXPECT_EQ(proxy.Requests().back().target, "hooks.example:443");

  config.allow_private = false;
  config.url_file = folder.File("url", "http://hooks.example/hook");
  EXPECT_FALSE(MakeSinks({config}, {*http, clock, never}));
}

}  // namespace
}  // namespace couplingd
