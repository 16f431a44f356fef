#include "coupling/panel/base_panel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "base/csv.h"
#include "base/json.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

const BasePanel& Panel() {
  static const BasePanel panel = [] {
    auto read = ShippedBasePanel();
    EXPECT_TRUE(read) << read.error().Text();
    return read ? *read : BasePanel{};
  }();
  return panel;
}

std::vector<std::string> MarkedWith(std::string_view flaw) {
  std::vector<std::string> models;
  for (const PanelModel& model : Panel().models) {
    if (model.Has(flaw)) models.push_back(model.model);
  }
  return models;
}

std::optional<PanelModel> Find(const std::vector<PanelModel>& models, std::string_view name) {
  const auto found = std::ranges::find(models, name, &PanelModel::model);
  return found == models.end() ? std::nullopt : std::optional(*found);
}

TEST(BasePanel, HoldsTheTablesOfTheOriginal) {
  EXPECT_EQ(PublishedPanel(Panel(), "consolidated").size(), 63u);
  EXPECT_EQ(PublishedPanel(Panel(), "collected").size(), 47u);
  EXPECT_EQ(PublishedPanel(Panel(), "bootstrap").size(), 14u);
  EXPECT_EQ(PublishedPanel(Panel(), "figures").size(), 2u);
  EXPECT_EQ(FamiliesOf(PublishedPanel(Panel(), "consolidated")).size(), 16u);
  EXPECT_TRUE(PublishedPanel(Panel(), "nothing").empty());
}

TEST(BasePanel, TheCleanedPanelHasOneRowPerBaseModelWithBothAxes) {
  const auto cleaned = CleanedPanel(Panel());
  EXPECT_EQ(cleaned.size(), 60u);  // 63 less two duplicates and one instruction-tuned model
  std::set<std::string> names;
  int next_size_cases = 0;
  for (const PanelModel& model : cleaned) {
    EXPECT_TRUE(names.insert(model.model).second) << model.model;
    EXPECT_TRUE(model.hellaswag && model.truthfulqa) << model.model;
  }
  for (const std::string& family : FamiliesOf(cleaned)) {
    const auto sizes = FamilyOf(cleaned, family);
    next_size_cases += std::max(0, static_cast<int>(sizes.size()) - 2);
    for (std::size_t k = 1; k < sizes.size(); ++k) {
      EXPECT_LT(sizes[k - 1].parameters, sizes[k].parameters) << sizes[k].model;
    }
  }
  EXPECT_EQ(next_size_cases, 29);
}

TEST(BasePanel, EveryRowHasASource) {
  for (const PanelModel& model : Panel().models) EXPECT_FALSE(model.source.empty()) << model.model;
}

TEST(BasePanel, RefusesBadTablesByLineAndField) {
  const std::string header =
      "model,family,family_as_published,parameters,d_model,hellaswag,truthfulqa_mc2,arc_challenge,"
      "winogrande,mmlu,tables,source,source_as_published,flaws\n";
  const std::string flaws = "flaw,treatment,explanation\nodd,kept,odd\n";
  const std::string losses = "parameters,loss,source\n1B,2.5,s\n";
  const auto read = [&](const std::string& row) {
    return ReadBasePanel(header + row, flaws, losses);
  };
  EXPECT_TRUE(read("m,f,f,1B,,50,40,,,,t,s,s,odd\n"));
  EXPECT_THAT(read("m,f,f,1B,,150,40,,,,t,s,s,odd\n").error().message,
              HasSubstr("base_models.csv:2: field \"hellaswag\" \"150\" is not a number"));
  EXPECT_THAT(read("m,f,f,many,,50,40,,,,t,s,s,odd\n").error().message,
              HasSubstr("field \"parameters\""));
  EXPECT_THAT(read("m,f,f,1B,,50,40,,,,t,s,s,strange\n").error().message,
              HasSubstr("\"strange\", which flaws.csv does not explain"));
  EXPECT_THAT(read(",f,f,1B,,50,40,,,,t,s,s,odd\n").error().message,
              HasSubstr("field \"model\" is empty"));
  EXPECT_THAT(ReadBasePanel(header + "m,f,f,1B,,50,40,,,,t,s,s,odd\n",
                            "flaw,treatment,explanation\nodd,ignored,odd\n", losses)
                  .error()
                  .message,
              HasSubstr("neither kept, corrected nor excluded"));
}

// The original's own files: every row of ours against them, and each flaw shown in them.
class PanelOriginal : public ::testing::Test {
 protected:
  struct Model {
    std::string family, source;
    double billions = 0;
    std::map<std::string, double> scores;
    std::optional<double> gamma;
  };

  void SetUp() override {
    const std::string folder = COUPLINGD_SOURCE_DIR "/../shared/data/panel/";
    if (!std::filesystem::exists(folder + "base_models_consolidated.json")) {
      GTEST_SKIP() << "the original panel is not at hand";
    }
    const auto document = ParseJsonFile(folder + "base_models_consolidated.json");
    ASSERT_TRUE(document) << document.error().Text();
    for (const JsonValue& row : (*document)["models"].GetArray()) {
      Model model{.family = row["family"].GetString(),
                  .source = row["source"].GetString(),
                  .billions = row["N_B"].GetDouble()};
      for (const char* score : {"HS", "TQA", "ARC", "WG", "MMLU"}) {
        if (const JsonValue* value = FindMember(row, score)) {
          model.scores[score] = value->GetDouble();
        }
      }
      if (const JsonValue* gamma = FindMember(row, "gamma12")) model.gamma = gamma->GetDouble();
      models_.emplace_back(row["name"].GetString(), model);
    }
    auto collected = CsvTable::Read(folder + "leaderboard_scores_collected.csv");
    ASSERT_TRUE(collected) << collected.error().Text();
    collected_ = *collected;
  }

  const Model& Original(std::string_view name) const {
    const auto found = std::ranges::find(
        models_, name, [](const auto& entry) { return std::string_view(entry.first); });
    EXPECT_NE(found, models_.end()) << name;
    return found->second;
  }

  std::vector<std::pair<std::string, Model>> models_;
  std::optional<CsvTable> collected_;
};

void ExpectScore(const std::optional<double>& ours, std::optional<double> theirs,
                 const std::string& where) {
  ASSERT_EQ(ours.has_value(), theirs.has_value()) << where;
  if (ours) {
    EXPECT_NEAR(100 * *ours, *theirs, 1e-9) << where;
  }
}

TEST_F(PanelOriginal, EveryRowOfTheConsolidatedTableIsTheOriginals) {
  const auto ours = PublishedPanel(Panel(), "consolidated");
  ASSERT_EQ(ours.size(), models_.size());
  for (std::size_t k = 0; k < ours.size(); ++k) {
    const auto& [name, theirs] = models_[k];
    EXPECT_EQ(ours[k].model, name);
    EXPECT_EQ(ours[k].family, theirs.family) << name;
    EXPECT_EQ(ours[k].source, theirs.source) << name;
    EXPECT_NEAR(ours[k].parameters / 1e9, theirs.billions, 1e-12) << name;
    const auto score = [&](const char* key) -> std::optional<double> {
      const auto found = theirs.scores.find(key);
      return found == theirs.scores.end() ? std::nullopt : std::optional(found->second);
    };
    ExpectScore(ours[k].hellaswag, score("HS"), name);
    ExpectScore(ours[k].truthfulqa, score("TQA"), name);
    ExpectScore(ours[k].arc_challenge, score("ARC"), name);
    ExpectScore(ours[k].winogrande, score("WG"), name);
    ExpectScore(ours[k].mmlu, score("MMLU"), name);
  }
}

TEST_F(PanelOriginal, EveryRowOfTheCollectedTableIsTheOriginals) {
  const auto ours = PublishedPanel(Panel(), "collected");
  ASSERT_EQ(ours.size(), collected_->rows().size());
  for (const CsvRow& row : collected_->rows()) {
    const auto cell = [&](const char* column) { return row.fields[*collected_->Column(column)]; };
    const std::string name = cell("Model");
    const auto model = Find(ours, name);
    ASSERT_TRUE(model) << name;
    EXPECT_NEAR(model->parameters / 1e9, std::stod(cell("Params_B")), 1e-12) << name;
    for (const auto& [column, score] : std::vector<std::pair<const char*, PanelScore>>{
             {"HellaSwag", &PanelModel::hellaswag},
             {"TruthfulQA_MC2", &PanelModel::truthfulqa},
             {"ARC_Challenge", &PanelModel::arc_challenge},
             {"WinoGrande", &PanelModel::winogrande},
             {"MMLU", &PanelModel::mmlu}}) {
      const std::string text = cell(column);
      ExpectScore((*model).*score, text.empty() ? std::nullopt : std::optional(std::stod(text)),
                  name + " " + column);
    }
  }
}

TEST_F(PanelOriginal, HoldsTheDuplicatesOfLlama3WithDifferentScores) {
  EXPECT_THAT(MarkedWith("duplicate-model"), ::testing::ElementsAre("Llama3-8B", "Llama3-70B"));
  EXPECT_EQ(Original("Llama3-8B").billions, Original("Llama-3-8B").billions);
  EXPECT_NE(Original("Llama3-8B").scores.at("TQA"), Original("Llama-3-8B").scores.at("TQA"));
  EXPECT_NE(Original("Llama3-70B").scores.at("TQA"), Original("Llama-3-70B").scores.at("TQA"));
  const auto cleaned = FamilyOf(CleanedPanel(Panel()), "Llama-3");
  ASSERT_EQ(cleaned.size(), 2u);
  EXPECT_EQ(cleaned[0].model, "Llama-3-8B");
}

TEST_F(PanelOriginal, FilesTwoOtherFamiliesUnderPythia) {
  EXPECT_THAT(MarkedWith("wrong-family"), ::testing::ElementsAre("GPT-J-6B", "GPT-NeoX-20B"));
  for (const auto& name : MarkedWith("wrong-family")) EXPECT_EQ(Original(name).family, "Pythia");
  EXPECT_EQ(FamilyOf(PublishedPanel(Panel(), "consolidated"), "Pythia").size(), 10u);
  EXPECT_EQ(FamilyOf(CleanedPanel(Panel()), "Pythia").size(), 8u);
  EXPECT_EQ(FamilyOf(CleanedPanel(Panel()), "GPT-J").size(), 1u);
}

TEST_F(PanelOriginal, TakesTwoGenerationsOfGemmaForOneFamily) {
  EXPECT_THAT(MarkedWith("mixed-generations"), ::testing::ElementsAre("Gemma-3-4B", "Gemma-4-E4B"));
  EXPECT_EQ(Original("Gemma-3-4B").family, Original("Gemma-4-E4B").family);
  EXPECT_LT(*Original("Gemma-4-E4B").gamma, -5);  // a coupling between two recipes
  EXPECT_EQ(FamilyOf(CleanedPanel(Panel()), "Gemma-3").size(), 1u);
}

TEST_F(PanelOriginal, CountsAnInstructionTunedPhiAmongBaseModels) {
  EXPECT_THAT(MarkedWith("instruction-tuned"), ::testing::ElementsAre("Phi-3-mini-4k"));
  EXPECT_EQ(Original("Phi-3-mini-4k").source, "leaderboard");
  EXPECT_FALSE(Find(CleanedPanel(Panel()), "Phi-3-mini-4k"));
}

TEST_F(PanelOriginal, CallsVendorScoresOfQwenLeaderboardScores) {
  for (const auto& name : MarkedWith("vendor-scores")) {
    const auto row = Find(CleanedPanel(Panel()), name);
    if (!row || !row->StandsIn("consolidated")) continue;
    EXPECT_THAT(row->source, HasSubstr("vendor")) << name;
    EXPECT_EQ(Original(name).source == "leaderboard", row->family == "Qwen2.5") << name;
  }
  const auto model = *collected_->Column("Model"), source = *collected_->Column("Source");
  for (const CsvRow& row : collected_->rows()) {
    if (!row.fields[model].starts_with("Qwen2.5")) continue;
    EXPECT_EQ(row.fields[source], "Qwen-blog");
  }
}

TEST_F(PanelOriginal, RoundsScoresOfUnstatedOrigin) {
  int rounded = 0;
  for (const auto& [name, model] : models_) {
    if (model.source != "cape_26") continue;
    EXPECT_TRUE(Find(PublishedPanel(Panel(), "consolidated"), name)->Has("no-origin")) << name;
    for (const auto& [score, value] : model.scores) {
      EXPECT_NEAR(10 * value, std::round(10 * value), 1e-9) << name << " " << score;
    }
    ++rounded;
  }
  EXPECT_EQ(rounded, 20);
}

TEST_F(PanelOriginal, HasTwoVersionsOfPythiaLlamaAndOlmo) {
  for (const std::string& name : MarkedWith("two-versions")) {
    const PanelModel* other = nullptr;
    for (const PanelModel& model : Panel().models) {
      if (model.model == name && model.Has("other-version")) other = &model;
    }
    ASSERT_NE(other, nullptr) << name;
    const Model& original = Original(name);
    EXPECT_TRUE(std::abs(100 * *other->hellaswag - original.scores.at("HS")) > 1e-9 ||
                std::abs(100 * *other->truthfulqa - original.scores.at("TQA")) > 1e-9)
        << name;
  }
  EXPECT_EQ(MarkedWith("two-versions").size(), MarkedWith("other-version").size());
}

TEST_F(PanelOriginal, CollectedMc2IsTheFigureThatThePaperCallsMc1) {
  const auto model = *collected_->Column("Model"), mc2 = *collected_->Column("TruthfulQA_MC2");
  int same = 0;
  for (const CsvRow& row : collected_->rows()) {
    const auto ours = Find(PublishedPanel(Panel(), "consolidated"), row.fields[model]);
    if (!ours) continue;
    EXPECT_NEAR(Original(row.fields[model]).scores.at("TQA"), std::stod(row.fields[mc2]), 1e-9);
    EXPECT_TRUE(ours->Has("mc2-called-mc1"));
    ++same;
  }
  EXPECT_EQ(same, 40);
}

}  // namespace
}  // namespace couplingd
