#include "records/metric_names.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

TEST(MetricNames, TellSharesFromOtherNumbers) {
  for (const char* name : {"acc", "acc_norm", "pct_stereotype", "unstereotyped", "mc2", "f1",
                           "exact_match:strict-match"}) {
    EXPECT_TRUE(IsFractionMetric(name)) << name;
  }
  for (const char* name : {"ppl", "word_perplexity", "likelihood_difference", "bits_per_byte",
                           "bleu", "ter", "eval_loss", "chrf", "sample_len", "log_odds",
                           "layer_coupling_l12", "d_rep_l3", "competing_heads", "bottleneck"}) {
    EXPECT_FALSE(IsFractionMetric(name)) << name;
  }
}

TEST(MetricNames, TellWhichAreBetterTheSmallerTheyAre) {
  for (const char* name :
       {"word_perplexity", "eval_loss", "bits_per_byte", "pct_stereotype", "ter"}) {
    EXPECT_TRUE(IsLowerBetter(name)) << name;
  }
  for (const char* name : {"acc", "acc_norm", "unstereotyped", "log_odds", "bleu", "true_mass"}) {
    EXPECT_FALSE(IsLowerBetter(name)) << name;
  }
}

}  // namespace
}  // namespace couplingd
