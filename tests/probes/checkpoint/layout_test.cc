#include "probes/checkpoint/layout.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

TEST(LayoutNames, DecideWhatProvesCompleteness) {
  EXPECT_EQ(LayoutOfName("checkpoint-5"), Layout::kTrainer);
  EXPECT_EQ(LayoutOfName("step-5"), Layout::kStep);
  EXPECT_EQ(LayoutOfName("step5"), Layout::kStep);
  EXPECT_EQ(LayoutOfName("final"), Layout::kModel);
  for (const Layout layout : {Layout::kTrainer, Layout::kStep, Layout::kModel}) {
    EXPECT_EQ(ParseLayout(ToString(layout)), layout);
  }
}

TEST(LayoutNames, TellForeignFormatsByTheirFiles) {
  EXPECT_TRUE(ForeignFormatOfName("manifest.ocdbt")->contains("JAX"));
  EXPECT_TRUE(ForeignFormatOfName("metadata.json")->contains("levanter"));
  EXPECT_FALSE(ForeignFormatOfName("__3_0.distcp"));
  EXPECT_TRUE(ForeignFormatOfName("adapter_model.safetensors")->contains("adapter-only"));
  EXPECT_FALSE(ForeignFormatOfName("pytorch_model-00001-of-00009.bin"));
  EXPECT_FALSE(ForeignFormatOfName("model.safetensors"));
  EXPECT_FALSE(ForeignFormatOfName("optimizer.pt"));
  EXPECT_FALSE(ForeignFormatOfName("training_args.bin"));
}

}  // namespace
}  // namespace couplingd
