// A client for verbs that must not need one.
#pragma once

#include "base/http_client.h"

namespace couplingd {

class NoHttp final : public HttpClient {
 public:
  Result<HttpResponse> Send(const HttpRequest&) override {
    return Fail(ErrorKind::kUnavailable, "refused");
  }
};

}  // namespace couplingd
