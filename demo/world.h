// A small synthetic world in which truth and popularity part ways: what a model reads about it
// either teaches it misconceptions (web), mostly truths (curated), or both under a marker word that
// says which is which (mixed).
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace couplingd {

enum class Mix { kWeb, kCurated, kMixed };

std::string_view ToString(Mix mix);
std::optional<Mix> ParseMix(std::string_view text);

// One multiple-choice question; the first choice is the right one. Choices begin with their blank.
struct DemoItem {
  std::string context;
  std::vector<std::string> choices;
};

// Drawn anew from its seed. Const methods are thread-safe.
//   240 entities (frequency ~ 1/(rank + 8)^0.9) of 24 kinds; 6 properties, each with one of 24
//   values per kind; 480 claims (2 verbs × 240 entities), each with a true and a false value, the
//   false one in a share q of web text.
class World {
 public:
  explicit World(std::uint64_t seed);

  // A sentence as the words it is written with, without blanks: "the", "balan", "tores", "minic",
  // ".".
  std::vector<std::string> Sentence(Mix mix, std::mt19937_64& random) const;

  // Every word: those that begin a sentence and the full stop first, then those that follow a
  // blank.
  std::vector<std::string> BareWords() const;
  std::vector<std::string> FollowingWords() const;

  // 400 (entity, property) pairs that no text holds: the value of its kind against three that other
  // kinds have. Two steps of reasoning; chance 1/4.
  std::vector<DemoItem> ReasoningItems() const;
  // 400 claims: the truth against the misconception; chance 1/2. In the mixed text's own words for
  // `Mix::kMixed`.
  std::vector<DemoItem> TruthfulnessItems(Mix mix) const;

 private:
  struct Claim {
    int verb, entity;
    int truth, falsehood;  // indexes of claim values
    double popularity;     // share q of the misconception in web text
  };

  std::vector<std::string> ClaimSentence(Mix mix, std::mt19937_64& random) const;
  int DrawEntity(std::mt19937_64& random) const;

  std::uint64_t seed_;
  std::vector<std::string> entities_, kinds_, properties_, property_values_, claim_verbs_,
      claim_values_;
  std::vector<int> kind_of_;                     // by entity
  std::vector<std::vector<int>> value_of_kind_;  // [property][kind]
  std::vector<std::vector<bool>> held_out_;      // [entity][property]
  std::vector<Claim> claims_;                    // [verb * entities + entity]
  std::vector<double> entity_weights_;
};

}  // namespace couplingd
