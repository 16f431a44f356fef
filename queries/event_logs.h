// Scalars in the binary logs of TensorBoard and Weights & Biases.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "queries/loss_series.h"

namespace couplingd {

// The first bytes of such files.
bool IsEventFile(std::string_view text);
bool IsWandbFile(std::string_view text);

// events.out.tfevents.*: TFRecords (length, its CRC-32C, bytes, their CRC-32C) of Event messages,
// whose scalars are simple values or tensors of one float or double. A record cut short at the end,
// as a file has that is still written, ends the reading with a note; a wrong checksum is
// kInvalidData and names the byte.
Status ReadEvents(std::string_view text, std::string_view source, LossCollector& losses,
                  std::vector<std::string>& notes);

// run-*.wandb: blocks of 32 KiB with fragments (CRC-32, length, type) of Record messages; the
// history's items are JSON values by key.
Status ReadWandb(std::string_view text, std::string_view source, LossCollector& losses,
                 std::vector<std::string>& notes);

}  // namespace couplingd
