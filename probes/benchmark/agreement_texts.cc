// How two texts of one request differ, in words.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "probes/benchmark/agreement_evidence.h"
#include "probes/benchmark/text.h"
#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

constexpr std::size_t kShown = 24;  // characters of each side

std::string Quoted(std::string_view text) { return JsonWriter().Value(text).Text(); }

std::string Head(std::string_view text) {
  const std::string_view rest = DropCodePoints(text, kShown);
  const std::string head = Quoted(text.substr(0, text.size() - rest.size()));
  return rest.empty() ? head : head + "…";
}

std::string Blanks(std::string_view text) {
  const std::string_view kept = StripLeft(text);
  return kept.size() == text.size() ? "no white space"
                                    : Quoted(text.substr(0, text.size() - kept.size()));
}

// "from character 12 on: ours "a…", theirs "b…"".
std::string FirstDifference(std::string_view ours, std::string_view theirs) {
  std::size_t at = 0, characters = 0;
  while (at < ours.size() && at < theirs.size()) {
    std::size_t next = at;
    NextCodePoint(ours, next);
    if (ours.substr(at, next - at) != theirs.substr(at, next - at)) break;
    at = next;
    ++characters;
  }
  return fmt::format("from character {} on: ours {}, theirs {}", characters, Head(ours.substr(at)),
                     Head(theirs.substr(at)));
}

// Worked examples end in an empty line.
std::size_t Turns(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find("\n\n"); at != std::string_view::npos;
       at = text.find("\n\n", at + 2)) {
    ++count;
  }
  return count;
}

std::string Preamble(const std::string& longer, const std::string& shorter, std::string_view who) {
  const std::string_view more = std::string_view(longer).substr(0, longer.size() - shorter.size());
  const std::size_t turns = Turns(more);
  return fmt::format("{} has {} characters more before the same question, {} worked example{}: {}",
                     who, CountCodePoints(more), turns, turns == 1 ? "" : "s", Head(more));
}

std::string SpacingEvidence(const RequestText& ours, const RequestText& theirs) {
  if (ours.context == theirs.context &&
      StripLeft(ours.continuation) == StripLeft(theirs.continuation)) {
    return fmt::format("the continuation begins with {} here and {} there",
                       Blanks(ours.continuation), Blanks(theirs.continuation));
  }
  return "white space differs " +
         FirstDifference(ours.context + ours.continuation, theirs.context + theirs.continuation);
}

std::string TemplateEvidence(const RequestText& ours, const RequestText& theirs) {
  if (ours.continuation != theirs.continuation) {
    return "the choice differs " + FirstDifference(ours.continuation, theirs.continuation);
  }
  if (ours.context.ends_with(theirs.context)) {
    return Preamble(ours.context, theirs.context, "ours");
  }
  if (theirs.context.ends_with(ours.context)) {
    return Preamble(theirs.context, ours.context, "theirs");
  }
  return "the context differs " + FirstDifference(ours.context, theirs.context);
}

}  // namespace

std::optional<Finding> EvidenceFinder::FromTexts(const ComparedChoice& choice) const {
  const RequestText ours = OurText(choice), theirs = TheirText(choice);
  if (ours == theirs) return std::nullopt;
  const bool is_spacing = WithoutSpace(ours.context) == WithoutSpace(theirs.context) &&
                          WithoutSpace(ours.continuation) == WithoutSpace(theirs.continuation);
  if (is_spacing) return Finding{DifferenceCause::kSpacing, SpacingEvidence(ours, theirs)};
  return Finding{DifferenceCause::kTemplate, TemplateEvidence(ours, theirs)};
}

}  // namespace couplingd
