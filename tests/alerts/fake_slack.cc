#include "tests/alerts/fake_slack.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace couplingd::testing {
namespace {

HttpResponse Json(const std::string& text) { return {.status = 200, .body = text}; }

std::string TextOf(const JsonValue& object, std::string_view key) {
  const JsonValue* member = FindMember(object, key);
  return member && member->IsString() ? member->GetString() : "";
}

std::string HeaderOf(const HttpRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "";
}

}  // namespace

HttpResponse FakeSlack::Error(const std::string& word, long status) {
  return {.status = status, .body = fmt::format(R"({{"ok":false,"error":"{}"}})", word)};
}

HttpResponse FakeSlack::RateLimited(int seconds) {
  not_before_ = clock_.Now() + seconds * 1000;
  HttpResponse response = Error("ratelimited", 429);
  response.headers = {{"retry-after", fmt::format("{}", seconds)}};
  return response;
}

Result<HttpResponse> FakeSlack::Send(const HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  const std::string& url = request.url.Reveal();
  const bool is_webhook = url.find("/services/") != std::string::npos;
  const bool is_upload = url.find("/upload/") != std::string::npos;
  const std::string method = is_webhook  ? "webhook"
                             : is_upload ? "upload"
                                         : url.substr(url.rfind('/') + 1);
  calls.push_back(method);
  too_early += clock_.Now() < not_before_;
  if (intercept) {
    if (auto answer = intercept(method)) return std::move(*answer);
  }
  if (is_upload) {
    uploads_[url.substr(url.rfind('/') + 1)].bytes = request.body;
    return HttpResponse{.status = 200, .body = "OK - " + fmt::format("{}", request.body.size())};
  }
  if (is_webhook) return Post(request, true);
  if (HeaderOf(request, "authorization") != std::string("Bearer ") + kSlackToken) {
    return Error("invalid_auth");
  }
  if (method == "chat.postMessage") return Post(request, false);
  if (method == "chat.update") return Update(request);
  if (method == "files.getUploadURLExternal") return Place(request);
  if (method == "files.completeUploadExternal") return Complete(request);
  return Error("unknown_method");
}

HttpResponse FakeSlack::Post(const HttpRequest& request, bool is_webhook) {
  const UnixMillis now = clock_.Now();
  too_fast += !posts.empty() && now - posts.back().at < 1000;
  SlackPost post{.body = request.body, .checked = CheckSlackMessage(request.body), .at = now};
  post.ts = fmt::format("{}.{:06}", now / 1000, posts.size());
  if (!post.checked.problems.empty()) {
    refused.push_back(post.checked.problems.front());
    return is_webhook ? HttpResponse{.status = 400, .body = "invalid_blocks"}
                      : Error("invalid_blocks");
  }
  if (!is_webhook) {
    const auto body = ParseJson(request.body, "body");
    post.channel = TextOf(*body, "channel");
    post.thread_ts = TextOf(*body, "thread_ts");
    post.broadcast = body->HasMember("reply_broadcast") && (*body)["reply_broadcast"].IsTrue();
    if (post.channel.empty()) return Error("channel_not_found");
    const auto same = [&](const SlackPost& other) { return other.ts == post.thread_ts; };
    if (!post.thread_ts.empty() && std::ranges::none_of(posts, same)) {
      return Error("thread_not_found");
    }
  }
  posts.push_back(post);
  if (is_webhook) return {.status = 200, .body = "ok"};
  return Json(fmt::format(R"({{"ok":true,"channel":"{}","ts":"{}","message":{}}})", post.channel,
                          post.ts, request.body));
}

HttpResponse FakeSlack::Update(const HttpRequest& request) {
  const auto body = ParseJson(request.body, "body");
  const auto post = std::ranges::find(posts, TextOf(*body, "ts"), &SlackPost::ts);
  if (post == posts.end()) return Error("message_not_found");
  post->body = request.body;
  post->checked = CheckSlackMessage(request.body);
  ++post->edits;
  if (!post->checked.problems.empty()) {
    refused.push_back(post->checked.problems.front());
    return Error("invalid_blocks");
  }
  return Json(R"({"ok":true})");
}

HttpResponse FakeSlack::Place(const HttpRequest& request) {
  if (HeaderOf(request, "content-type") != "application/x-www-form-urlencoded") {
    return Error("invalid_arguments");
  }
  const std::string id = fmt::format("F{:03}", uploads_.size());
  const std::size_t begin = request.body.find("filename=") + 9;
  uploads_[id].name = request.body.substr(begin, request.body.find('&') - begin);
  return Json(fmt::format(
      R"({{"ok":true,"file_id":"{}","upload_url":"https://files.slack.example/upload/{}"}})", id,
      id));
}

HttpResponse FakeSlack::Complete(const HttpRequest& request) {
  const auto body = ParseJson(request.body, "body");
  const JsonValue& file = (*body)["files"][0];
  const auto upload = uploads_.find(TextOf(file, "id"));
  if (upload == uploads_.end() || upload->second.bytes.empty()) return Error("file_not_found");
  SlackFile done = upload->second;
  done.title = TextOf(file, "title");
  done.thread_ts = TextOf(*body, "thread_ts");
  files.push_back(done);
  return Json(R"({"ok":true,"files":[]})");
}

}  // namespace couplingd::testing
