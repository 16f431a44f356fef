#include "probes/tokenizer/normalizer.h"

#include <vector>

#include "base/base64.h"
#include "probes/tokenizer/component.h"
#include "probes/tokenizer/pattern.h"
#include "probes/tokenizer/precompiled.h"
#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

using NormalizerPointer = std::unique_ptr<TextNormalizer>;

class UnicodeNormalizer final : public TextNormalizer {
 public:
  explicit UnicodeNormalizer(UnicodeNormalization normalization)
      : normalization_(std::move(normalization)) {}
  Result<std::string> Normalize(std::string text) const override {
    return normalization_.Apply(text);
  }

 private:
  const UnicodeNormalization normalization_;
};

class LowercaseNormalizer final : public TextNormalizer {
 public:
  Result<std::string> Normalize(std::string text) const override { return LowercaseUnicode(text); }
};

class StripNormalizer final : public TextNormalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  Result<std::string> Normalize(std::string text) const override {
    std::size_t begin = 0;
    while (left_ && begin < text.size()) {
      std::size_t next = begin;
      if (!IsWhitespace(NextCodePoint(text, next))) break;
      begin = next;
    }
    std::size_t end = text.size();
    while (right_ && end > begin) {
      std::size_t previous = end;
      if (!IsWhitespace(PreviousCodePoint(text, previous))) break;
      end = previous;
    }
    return text.substr(begin, end - begin);
  }

 private:
  const bool left_;
  const bool right_;
};

class ReplaceNormalizer final : public TextNormalizer {
 public:
  ReplaceNormalizer(TextPattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  Result<std::string> Normalize(std::string text) const override {
    return pattern_.ReplaceAll(text, content_);
  }

 private:
  const TextPattern pattern_;
  const std::string content_;
};

class PrependNormalizer final : public TextNormalizer {
 public:
  explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}
  Result<std::string> Normalize(std::string text) const override {
    return text.empty() ? text : prefix_ + text;
  }

 private:
  const std::string prefix_;
};

class PrecompiledNormalizer final : public TextNormalizer {
 public:
  explicit PrecompiledNormalizer(PrecompiledTable table) : table_(std::move(table)) {}
  Result<std::string> Normalize(std::string text) const override { return table_.Apply(text); }

 private:
  const PrecompiledTable table_;
};

class NormalizerSequence final : public TextNormalizer {
 public:
  explicit NormalizerSequence(std::vector<NormalizerPointer> steps) : steps_(std::move(steps)) {}
  Result<std::string> Normalize(std::string text) const override {
    for (const auto& step : steps_) text = TRY(step->Normalize(std::move(text)));
    return text;
  }

 private:
  const std::vector<NormalizerPointer> steps_;
};

template <NormalizationForm form>
Result<NormalizerPointer> BuildUnicode(const JsonValue&, const std::string&) {
  return std::make_unique<UnicodeNormalizer>(TRY(UnicodeNormalization::Make(form)));
}

Result<NormalizerPointer> BuildLowercase(const JsonValue&, const std::string&) {
  return std::make_unique<LowercaseNormalizer>();
}

Result<NormalizerPointer> BuildStrip(const JsonValue& json, const std::string& where) {
  const bool left = TRY(GetBool(json, "strip_left", where));
  const bool right = TRY(GetBool(json, "strip_right", where));
  return std::make_unique<StripNormalizer>(left, right);
}

Result<NormalizerPointer> BuildReplace(const JsonValue& json, const std::string& where) {
  TextPattern pattern = TRY(TextPattern::Parse(json, where));
  std::string content = TRY(GetString(json, "content", where));
  return std::make_unique<ReplaceNormalizer>(std::move(pattern), std::move(content));
}

Result<NormalizerPointer> BuildPrepend(const JsonValue& json, const std::string& where) {
  return std::make_unique<PrependNormalizer>(TRY(GetString(json, "prepend", where)));
}

Result<NormalizerPointer> BuildPrecompiled(const JsonValue& json, const std::string& where) {
  const std::string place = where + ".precompiled_charsmap";
  const auto bytes = FromBase64(TRY(GetString(json, "precompiled_charsmap", where)));
  if (!bytes) return Fail(ErrorKind::kInvalidData, place + " is not base64");
  return std::make_unique<PrecompiledNormalizer>(TRY(PrecompiledTable::Parse(*bytes, place)));
}

Result<NormalizerPointer> BuildSequence(const JsonValue& json, const std::string& where) {
  std::vector<NormalizerPointer> steps;
  for (const auto& [step, place] : TRY(ComponentList(json, "normalizers", where))) {
    steps.push_back(TRY(ParseNormalizer(step, place)));
  }
  return std::make_unique<NormalizerSequence>(std::move(steps));
}

constexpr ComponentBuilder<TextNormalizer> kNormalizers[] = {
    {"NFC", BuildUnicode<NormalizationForm::kNfc>},
    {"NFD", BuildUnicode<NormalizationForm::kNfd>},
    {"NFKC", BuildUnicode<NormalizationForm::kNfkc>},
    {"NFKD", BuildUnicode<NormalizationForm::kNfkd>},
    {"Lowercase", BuildLowercase},
    {"Strip", BuildStrip},
    {"Replace", BuildReplace},
    {"Prepend", BuildPrepend},
    {"Precompiled", BuildPrecompiled},
    {"Sequence", BuildSequence},
};

}  // namespace

Result<NormalizerPointer> ParseNormalizer(const JsonValue* json, const std::string& where) {
  if (!json) return std::make_unique<NormalizerSequence>(std::vector<NormalizerPointer>{});
  return BuildComponent(kNormalizers, *json, where);
}

}  // namespace couplingd
