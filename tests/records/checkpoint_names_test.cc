#include "records/checkpoint_names.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

TEST(CheckpointNames, GiveTheStepInEveryTrainersSpelling) {
  EXPECT_EQ(StepOfName("checkpoint-500"), 500);
  EXPECT_EQ(StepOfName("step-00001000"), 1000);
  EXPECT_EQ(StepOfName("step143000"), 143000);
  EXPECT_EQ(StepOfName("step1000-unsharded"), 1000);
  EXPECT_EQ(StepOfName("step_7"), 7);
  EXPECT_EQ(StepOfName("iter_0000250"), 250);
  EXPECT_EQ(StepOfName("global_step12"), 12);
  EXPECT_EQ(StepOfName("ep0-ba3400"), 3400);
  EXPECT_EQ(StepOfName("step0"), 0);
}

TEST(CheckpointNames, GiveNoStepForOtherNames) {
  for (const char* name :
       {"checkpoint-", "checkpoint-12a", "checkpoint--5", "my-checkpoint-5", "steps10", "ep1-ba",
        "final", "12", "", "checkpoint-99999999999999999999"}) {
    EXPECT_FALSE(StepOfName(name)) << name;
  }
}

TEST(CheckpointNames, MayBeBareNumbersOfFolders) {
  EXPECT_EQ(StepOfFolder("7"), 7);
  EXPECT_EQ(StepOfFolder("checkpoint-5"), 5);
  for (const char* name : {"", "7a", "-7", "7-tmp", "final"})
    EXPECT_FALSE(StepOfFolder(name)) << name;
}

TEST(CheckpointNames, IgnoreWhatIsStillBeingWritten) {
  for (const char* name : {"tmp-checkpoint-500", "step100-tmp", ".tmpAbC", "step5.tmp",
                           "step5.incomplete", "checkpoint-5.partial", ".nfs0001", ".hidden", ""}) {
    EXPECT_TRUE(IsIgnoredName(name)) << name;
    EXPECT_FALSE(StepOfName(name)) << name;
  }
  EXPECT_FALSE(IsIgnoredName(".metadata"));
  EXPECT_FALSE(IsIgnoredName("checkpoint-5"));
}

}  // namespace
}  // namespace couplingd
