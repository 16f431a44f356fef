#include "probes/checkpoint/assembly/strided_copy.h"

#include <algorithm>
#include <cstring>

namespace couplingd {
namespace {

constexpr std::uint64_t kShortRunBytes = 512;
constexpr std::uint64_t kSmallWindowBytes = 1u << 20;
constexpr std::uint64_t kWindowFactor = 2;

}  // namespace

StridedCopy::StridedCopy(const Piece& piece)
    : span_(piece.span), source_begin_(piece.source_begin), target_begin_(piece.target_begin) {
  for (std::size_t i = 0; i < piece.shape.size(); ++i) {
    elements_ *= piece.shape[i];
    if (piece.shape[i] == 1) continue;
    outer_.push_back({piece.shape[i], piece.source_stride[i], piece.target_stride[i]});
  }
  std::ranges::stable_sort(outer_, std::ranges::greater(), &Dimension::target_stride);
  // Inner dimensions that go on where the run ends, on both sides, make it longer.
  while (!outer_.empty() && outer_.back().source_stride == run_ &&
         outer_.back().target_stride == run_) {
    run_ *= outer_.back().size;
    outer_.pop_back();
  }
}

// visit(source element, target element, count), by rising target.
template <typename Visit>
Status StridedCopy::VisitRuns(ElementRange wanted, const Visit& visit) const {
  const auto begin = static_cast<std::int64_t>(wanted.begin);
  const auto end = static_cast<std::int64_t>(wanted.end);
  std::vector<std::int64_t> index(outer_.size(), 0);
  std::int64_t source = 0, target = target_begin_;
  // The first run that may reach into the range: dimension by dimension, as far as it goes.
  for (std::size_t i = 0; i < outer_.size(); ++i) {
    std::int64_t inner = run_ - 1;
    for (std::size_t k = i + 1; k < outer_.size(); ++k) {
      inner += (outer_[k].size - 1) * outer_[k].target_stride;
    }
    const std::int64_t behind = begin - target - inner;
    if (behind <= 0 || outer_[i].target_stride == 0) continue;
    const std::int64_t steps = std::min(
        (behind + outer_[i].target_stride - 1) / outer_[i].target_stride, outer_[i].size - 1);
    index[i] = steps;
    source += steps * outer_[i].source_stride;
    target += steps * outer_[i].target_stride;
  }
  while (true) {
    if (target >= end) return {};
    const std::int64_t first = std::max(begin - target, std::int64_t{0});
    const std::int64_t last = std::min(end - target, run_);
    if (first < last) TRY(visit(source + first, target + first, last - first));
    std::size_t i = outer_.size();
    while (i > 0 && index[i - 1] + 1 == outer_[i - 1].size) {
      --i;
      source -= index[i] * outer_[i].source_stride;
      target -= index[i] * outer_[i].target_stride;
      index[i] = 0;
    }
    if (i == 0) return {};
    ++index[i - 1];
    source += outer_[i - 1].source_stride;
    target += outer_[i - 1].target_stride;
  }
}

Status StridedCopy::Read(const ByteSpans& spans, std::uint64_t item, ElementRange wanted,
                         void* into) const {
  if (elements_ == 0 || wanted.begin == wanted.end) return {};
  auto* const bytes = static_cast<char*>(into);
  const auto place = [&](std::int64_t target) {
    return bytes + (static_cast<std::uint64_t>(target) - wanted.begin) * item;
  };
  const auto read_run = [&](std::int64_t source, std::int64_t target, std::int64_t count) {
    return spans.Read(span_, source_begin_ + static_cast<std::uint64_t>(source) * item,
                      static_cast<std::uint64_t>(count) * item, place(target));
  };
  if (outer_.empty() || static_cast<std::uint64_t>(run_) * item >= kShortRunBytes) {
    return VisitRuns(wanted, read_run);
  }
  std::int64_t low = INT64_MAX, high = 0, count_all = 0;
  TRY(VisitRuns(wanted, [&](std::int64_t source, std::int64_t, std::int64_t count) -> Status {
    low = std::min(low, source);
    high = std::max(high, source + count);
    count_all += count;
    return {};
  }));
  if (count_all == 0) return {};
  const std::uint64_t window_bytes = static_cast<std::uint64_t>(high - low) * item;
  const std::uint64_t wanted_bytes = static_cast<std::uint64_t>(count_all) * item;
  const std::uint64_t whole_bytes = static_cast<std::uint64_t>(elements_) * item;
  if (window_bytes > std::max({kSmallWindowBytes, kWindowFactor * wanted_bytes, whole_bytes})) {
    return VisitRuns(wanted, read_run);
  }
  std::vector<char> window(window_bytes);
  TRY(spans.Read(span_, source_begin_ + static_cast<std::uint64_t>(low) * item, window_bytes,
                 window.data()));
  return VisitRuns(
      wanted, [&](std::int64_t source, std::int64_t target, std::int64_t count) -> Status {
        std::memcpy(place(target), window.data() + static_cast<std::uint64_t>(source - low) * item,
                    static_cast<std::uint64_t>(count) * item);
        return {};
      });
}

}  // namespace couplingd
