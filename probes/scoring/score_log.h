// What an evaluation has scored so far, pack by pack on disk, so that one that was killed goes on
// where it stood. The scores are the same to the last bit as without the break (scorer.h).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"
#include "probes/model/decoder.h"
#include "probes/model/forward_plan.h"

namespace couplingd {

// XXH3-128 over all that a plan holds, 32 hexadecimal digits.
std::string HashOf(const ForwardPlan& plan);

// One evaluation at a time writes a log: a title, and a line per pack with its number, its scores
// and their hash.
class ScoreLog {
 public:
  // The file's name stands for everything that decides scores, so that what another process has
  // left there is gone on with. The title is one line that says whose it is. Nothing is written
  // yet.
  ScoreLog(std::string path, std::string title)
      : path_(std::move(path)), title_(std::move(title)) {}

  // Fills `scores` for the packs that the log holds, from the first on without a gap, and returns
  // their number. Damaged lines are passed over; a log that cannot be read counts as empty.
  std::size_t Restore(const ForwardPlan& plan, std::span<TokenScore> scores) const;

  // Durable when it returns.
  Status Add(const ForwardPlan& plan, std::size_t pack, std::span<const TokenScore> scores) const;

  // Once the result is on disk.
  void Remove() const;

  const std::string& path() const { return path_; }

 private:
  std::string path_, title_;
};

}  // namespace couplingd
