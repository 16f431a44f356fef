#include "probes/benchmark/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

class PairEncoder {
 public:
  static Result<PairEncoder> Make(const Tokenizer& tokenizer, const EncodeOptions& options) {
    PairEncoder encoder(tokenizer, options);
    encoder.prefix_ = options.prefix_token ? options.prefix_token
                      : tokenizer.bos_id() ? tokenizer.bos_id()
                                           : tokenizer.eos_id();
    if (encoder.prefix_) encoder.prefix_text_ = TRY(tokenizer.Decode({{*encoder.prefix_}}));
    if (options.bos == BosMode::kTrue && !tokenizer.bos_id()) {
      return Fail(ErrorKind::kUsage, "a BOS token was asked for, but the tokenizer names none",
                  "leave BOS at auto");
    }
    return encoder;
  }

  // Ids of both parts; the error is without the item's name.
  Result<std::pair<std::vector<TokenId>, std::size_t>> Encode(const std::string& context,
                                                              const std::string& continuation) {
    return context.empty() ? WithoutContext(continuation) : WithContext(context, continuation);
  }

  Result<std::vector<TokenId>> EncodeContext(const std::string& context) {
    std::vector<TokenId> tokens = TRY(EncodeRepeated(std::string(StripRight(context))));
    if (tokens.empty()) {
      return Fail(ErrorKind::kInvalidData,
                  "the context has no tokens, so there is nothing to condition on");
    }
    return tokens;
  }

 private:
  PairEncoder(const Tokenizer& tokenizer, const EncodeOptions& options)
      : tokenizer_(&tokenizer), bos_(options.bos) {}

  Result<std::pair<std::vector<TokenId>, std::size_t>> WithoutContext(
      const std::string& continuation) {
    std::vector<TokenId> tokens = TRY(tokenizer_->Encode(continuation, false));
    if (tokens.empty()) return Fail(ErrorKind::kInvalidData, "the continuation has no tokens");
    if (!prefix_) {
      return Fail(ErrorKind::kInvalidData,
                  "the context is empty, and the tokenizer names neither a BOS nor an EOS token");
    }
    if (tokens.front() != *prefix_) tokens.insert(tokens.begin(), *prefix_);
    return std::pair(std::move(tokens), std::size_t{1});
  }

  Result<std::pair<std::vector<TokenId>, std::size_t>> WithContext(
      const std::string& context, const std::string& continuation) {
    const std::vector<TokenId> before = TRY(EncodeContext(context));
    std::vector<TokenId> tokens = TRY(EncodeText(context + continuation));
    // Where a token crosses the boundary, the context keeps its own ids and what follows is cut by
    // position.
    std::copy_n(before.begin(), std::min(before.size(), tokens.size()), tokens.begin());
    return std::pair(std::move(tokens), before.size());
  }

  // The choices of an item mostly share their context, and items come in order.
  Result<std::vector<TokenId>> EncodeRepeated(std::string context) {
    if (last_context_ != context) {
      last_tokens_ = TRY(EncodeText(context));
      last_context_ = std::move(context);
    }
    return last_tokens_;
  }

  Result<std::vector<TokenId>> EncodeText(const std::string& text) const {
    const bool begins_with_prefix = prefix_ && text.starts_with(prefix_text_);
    const bool special = bos_ != BosMode::kFalse && !begins_with_prefix;
    std::vector<TokenId> tokens = TRY(tokenizer_->Encode(text, special));
    if (bos_ == BosMode::kTrue && special &&
        (tokens.empty() || tokens[0] != *tokenizer_->bos_id())) {
      tokens.insert(tokens.begin(), *tokenizer_->bos_id());
    }
    return tokens;
  }

  const Tokenizer* tokenizer_;
  BosMode bos_;
  std::optional<TokenId> prefix_;
  std::string prefix_text_;
  std::optional<std::string> last_context_;
  std::vector<TokenId> last_tokens_;
};

Result<EncodedRequest> EncodeOne(PairEncoder& encoder, const Pack& pack, std::size_t item,
                                 std::size_t choice, std::size_t max_length) {
  const PackItem& source = pack.items[item];
  auto [tokens, context_tokens] =
      TRY(encoder.Encode(source.ContextOf(choice), pack.Continuation(source, choice)));
  if (tokens.size() <= context_tokens) {
    return Fail(
        ErrorKind::kInvalidData,
        "the continuation has no tokens of its own: context and continuation together give no "
        "more tokens than the context");
  }
  const std::size_t scored = tokens.size() - context_tokens;
  if (scored > max_length) {
    return Fail(
        ErrorKind::kInvalidData,
        fmt::format("the continuation has {} tokens, the model takes {}", scored, max_length));
  }
  EncodedRequest request{
      .item = item, .choice = choice, .truncated = tokens.size() > max_length + 1};
  if (request.truncated) tokens.erase(tokens.begin(), tokens.end() - (max_length + 1));
  request.scored_from = tokens.size() - scored;
  request.tokens = std::move(tokens);
  return request;
}

}  // namespace

Result<std::vector<EncodedRequest>> EncodeRequests(const Pack& pack, const Tokenizer& tokenizer,
                                                   const EncodeOptions& options) {
  if (options.max_length == 0) return Fail(ErrorKind::kUsage, "max_length must be at least 1");
  PairEncoder encoder = TRY(PairEncoder::Make(tokenizer, options));
  std::vector<EncodedRequest> requests;
  for (std::size_t item = 0; item < pack.items.size(); ++item) {
    for (std::size_t choice = 0; choice < pack.items[item].choices.size(); ++choice) {
      Result<EncodedRequest> request = EncodeOne(encoder, pack, item, choice, options.max_length);
      if (!request) {
        return std::unexpected(request.error().Within(fmt::format(
            "pack {}: item \"{}\", choice {}", pack.name, pack.items[item].id, choice)));
      }
      requests.push_back(std::move(*request));
    }
  }
  return requests;
}

Result<std::vector<TokenId>> EncodeContext(const std::string& text, const Tokenizer& tokenizer,
                                           const EncodeOptions& options) {
  PairEncoder encoder = TRY(PairEncoder::Make(tokenizer, options));
  std::vector<TokenId> tokens = TRY(encoder.EncodeContext(text));
  if (tokens.size() > options.max_length) {
    return Fail(ErrorKind::kInvalidData, fmt::format("it has {} tokens, the model takes {}",
                                                     tokens.size(), options.max_length));
  }
  return tokens;
}

TaskPlan MakePlan(const Pack& pack, const std::vector<EncodedRequest>& requests) {
  TaskPlan plan{.task = pack.name, .metrics = pack.metrics};
  for (const PackItem& item : pack.items) {
    ItemInfo info{.id = item.id, .cluster = item.cluster};
    for (std::size_t choice = 0; choice < item.choices.size(); ++choice) {
      const std::string& text = item.choices[choice];
      info.choices.push_back({.characters = static_cast<std::uint32_t>(CountCodePoints(text)),
                              .bytes = static_cast<std::uint32_t>(text.size()),
                              .is_true = item.labels[choice]});
    }
    plan.items.push_back(std::move(info));
  }
  for (const EncodedRequest& request : requests) {
    plan.items[request.item].choices[request.choice].tokens =
        static_cast<std::uint32_t>(request.tokens.size() - request.scored_from);
  }
  return plan;
}

}  // namespace couplingd
