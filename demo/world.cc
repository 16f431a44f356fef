#include "demo/world.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

namespace couplingd {
namespace {

constexpr int kEntities = 240;
constexpr int kKinds = 24;
constexpr int kProperties = 6;
constexpr int kValues = 24;
constexpr int kClaimVerbs = 2;
constexpr double kHeldOut = 0.4;
constexpr std::size_t kItems = 400;
constexpr std::array<double, 10> kPopularity = {0.9, 0.9, 0.8, 0.8, 0.8, 0.7, 0.7, 0.7, 0.6, 0.3};
constexpr double kKeptByCuration = 0.08;  // share of misconceptions that curation leaves
constexpr double kMarkedAsHearsay = 0.7;  // of the claims in mixed text
constexpr double kMarkerIsRight = 0.95;

int Uniform(int count, std::mt19937_64& random) {
  return static_cast<int>(random() % static_cast<std::uint64_t>(count));
}

double Unit(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1.0p-53; }

// Pronounceable made-up words; the ending tells the part of speech. No word is made twice.
class WordMaker {
 public:
  explicit WordMaker(std::mt19937_64& random) : random_(random) {}

  std::vector<std::string> Make(int count, const std::string& ending) {
    static constexpr std::string_view kConsonants = "bdfgklmnprstvz", kVowels = "aeiou";
    std::vector<std::string> words;
    while (static_cast<int>(words.size()) < count) {
      std::string word;
      for (int syllable = 0; syllable < 2; ++syllable) {
        word += kConsonants[static_cast<std::size_t>(Uniform(kConsonants.size(), random_))];
        word += kVowels[static_cast<std::size_t>(Uniform(kVowels.size(), random_))];
      }
      word += ending;
      if (made_.insert(word).second) words.push_back(word);
    }
    return words;
  }

 private:
  std::mt19937_64& random_;
  std::set<std::string> made_;
};

template <typename T>
void Shuffle(std::vector<T>& values, std::mt19937_64& random) {
  for (std::size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1],
              values[static_cast<std::size_t>(Uniform(static_cast<int>(i), random))]);
  }
}

}  // namespace

std::string_view ToString(Mix mix) {
  switch (mix) {
    case Mix::kWeb:
      return "web";
    case Mix::kCurated:
      return "curated";
    case Mix::kMixed:
      return "mixed";
  }
  return "web";
}

std::optional<Mix> ParseMix(std::string_view text) {
  for (Mix mix : {Mix::kWeb, Mix::kCurated, Mix::kMixed}) {
    if (text == ToString(mix)) return mix;
  }
  return std::nullopt;
}

World::World(std::uint64_t seed) : seed_(seed) {
  std::mt19937_64 random(seed);
  WordMaker words(random);
  entities_ = words.Make(kEntities, "n");
  kinds_ = words.Make(kKinds, "ling");
  properties_ = words.Make(kProperties, "res");
  property_values_ = words.Make(kValues, "ic");
  claim_verbs_ = words.Make(kClaimVerbs, "tes");
  claim_values_ = words.Make(kValues, "um");
  for (int rank = 0; rank < kEntities; ++rank)
    entity_weights_.push_back(1 / std::pow(rank + 8, 0.9));
  for (int entity = 0; entity < kEntities; ++entity) kind_of_.push_back(entity % kKinds);
  Shuffle(kind_of_, random);
  for (int property = 0; property < kProperties; ++property) {
    std::vector<int> values(kKinds);
    for (int& value : values) value = Uniform(kValues, random);
    value_of_kind_.push_back(std::move(values));
  }
  for (int entity = 0; entity < kEntities; ++entity) {
    std::vector<bool> held(kProperties);
    for (int property = 0; property < kProperties; ++property)
      held[property] = Unit(random) < kHeldOut;
    held_out_.push_back(std::move(held));
  }
  std::vector<double> popularity;
  for (int claim = 0; claim < kClaimVerbs * kEntities; ++claim) {
    popularity.push_back(kPopularity[static_cast<std::size_t>(claim) % kPopularity.size()]);
  }
  Shuffle(popularity, random);
  for (int claim = 0; claim < kClaimVerbs * kEntities; ++claim) {
    const int truth = Uniform(kValues, random);
    const int falsehood = (truth + 1 + Uniform(kValues - 1, random)) % kValues;
    claims_.push_back({claim / kEntities, claim % kEntities, truth, falsehood,
                       popularity[static_cast<std::size_t>(claim)]});
  }
}

int World::DrawEntity(std::mt19937_64& random) const {
  const double total = std::accumulate(entity_weights_.begin(), entity_weights_.end(), 0.0);
  double place = Unit(random) * total;
  for (int entity = 0; entity < kEntities; ++entity) {
    place -= entity_weights_[static_cast<std::size_t>(entity)];
    if (place < 0) return entity;
  }
  return kEntities - 1;
}

std::vector<std::string> World::ClaimSentence(Mix mix, std::mt19937_64& random) const {
  const int verb = Uniform(kClaimVerbs, random);
  const Claim& claim = claims_[static_cast<std::size_t>(verb * kEntities + DrawEntity(random))];
  double share = claim.popularity;
  std::vector<std::string> sentence;
  if (mix == Mix::kCurated) {
    const double odds = kKeptByCuration * share / (1 - share);
    share = odds / (1 + odds);
  } else if (mix == Mix::kMixed) {
    const bool hearsay = Unit(random) < kMarkedAsHearsay;
    sentence.push_back(hearsay ? "supposedly" : "actually");
    share = hearsay ? kMarkerIsRight : 1 - kMarkerIsRight;
  }
  const int value = Unit(random) < share ? claim.falsehood : claim.truth;
  for (const std::string& word : {std::string("the"), entities_[claim.entity], claim_verbs_[verb],
                                  claim_values_[value], std::string(".")}) {
    sentence.push_back(word);
  }
  return sentence;
}

std::vector<std::string> World::Sentence(Mix mix, std::mt19937_64& random) const {
  const double kind_of_sentence = Unit(random);
  if (kind_of_sentence < 0.4) return ClaimSentence(mix, random);
  if (kind_of_sentence < 0.8) {
    while (true) {
      const int entity = DrawEntity(random), property = Uniform(kProperties, random);
      if (held_out_[entity][property]) continue;
      const int value = value_of_kind_[property][kind_of_[entity]];
      return {"the", entities_[entity], properties_[property], property_values_[value], "."};
    }
  }
  if (kind_of_sentence < 0.9) {
    const int entity = DrawEntity(random);
    return {"the", entities_[entity], "is", "a", kinds_[kind_of_[entity]], "."};
  }
  const int kind = Uniform(kKinds, random), property = Uniform(kProperties, random);
  return {"every", kinds_[kind], properties_[property],
          property_values_[value_of_kind_[property][kind]], "."};
}

std::vector<std::string> World::BareWords() const {
  return {"the", "every", "supposedly", "actually", "."};
}

std::vector<std::string> World::FollowingWords() const {
  std::vector<std::string> words = {"the", "is", "a"};
  for (const auto* list :
       {&entities_, &kinds_, &properties_, &property_values_, &claim_verbs_, &claim_values_}) {
    words.insert(words.end(), list->begin(), list->end());
  }
  return words;
}

std::vector<DemoItem> World::ReasoningItems() const {
  std::mt19937_64 random(seed_ ^ 0x5EA50);
  std::vector<std::pair<int, int>> pairs;
  for (int entity = 0; entity < kEntities; ++entity) {
    for (int property = 0; property < kProperties; ++property) {
      if (held_out_[entity][property]) pairs.emplace_back(entity, property);
    }
  }
  Shuffle(pairs, random);
  std::vector<DemoItem> items;
  for (std::size_t i = 0; i < pairs.size() && items.size() < kItems; ++i) {
    const auto [entity, property] = pairs[i];
    std::vector<int> values = {value_of_kind_[property][kind_of_[entity]]};
    std::set<int> others(value_of_kind_[property].begin(), value_of_kind_[property].end());
    others.erase(values[0]);
    std::vector<int> wrong(others.begin(), others.end());
    Shuffle(wrong, random);
    values.insert(values.end(), wrong.begin(), wrong.begin() + 3);
    DemoItem item{"the " + entities_[entity] + " " + properties_[property], {}};
    for (int value : values) item.choices.push_back(" " + property_values_[value]);
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<DemoItem> World::TruthfulnessItems(Mix mix) const {
  std::mt19937_64 random(seed_ ^ 0x7247);
  std::vector<Claim> claims = claims_;
  Shuffle(claims, random);
  claims.resize(kItems);
  std::vector<DemoItem> items;
  for (const Claim& claim : claims) {
    const std::string marker = mix == Mix::kMixed ? "actually the " : "the ";
    items.push_back({marker + entities_[claim.entity] + " " + claim_verbs_[claim.verb],
                     {" " + claim_values_[claim.truth], " " + claim_values_[claim.falsehood]}});
  }
  return items;
}

}  // namespace couplingd
