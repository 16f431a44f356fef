#include "probes/scoring/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <string_view>

namespace couplingd {
namespace {

using Sequence = std::span<const TokenId>;

std::int64_t CommonPrefix(Sequence a, Sequence b) {
  const auto [in_a, in_b] = std::ranges::mismatch(a, b);
  return in_a - a.begin();
}

// Sorted sequences are the trie's leaves in depth-first order; the common prefixes of neighbours
// say where it branches.
class TrieMaker {
 public:
  // Sequences from `first_long` on share nothing with those before.
  TrieMaker(std::span<const Sequence> sorted, std::size_t first_long, int token_budget)
      : sequences_(sorted), budget_(token_budget), leaf_(sorted.size(), -1) {
    shared_.resize(sorted.size(), 0);
    for (std::size_t i = 1; i < sorted.size(); ++i) {
      if (i != first_long) shared_[i] = CommonPrefix(sorted[i - 1], sorted[i]);
    }
  }

  void Make(ForwardPlan& plan) {
    std::vector<Branch> stack;
    PushChildren({0, sequences_.size(), 0, -1}, 0, stack);
    while (!stack.empty()) {
      const Branch branch = stack.back();
      stack.pop_back();
      const std::int64_t end = BranchEnd(branch);
      const std::int32_t last = AddSegments(branch, end, plan);
      Branch rest{branch.begin, branch.end, end, last};
      if (static_cast<std::int64_t>(sequences_[branch.begin].size()) == end) {
        leaf_[branch.begin] = last;
        ++rest.begin;
      }
      PushChildren(rest, end, stack);
    }
  }

  // The segment that holds each sequence's last token.
  std::span<const std::int32_t> leaves() const { return leaf_; }

 private:
  // Sequences [begin, end) share their first `depth` tokens, which end in segment `parent`.
  struct Branch {
    std::size_t begin = 0, end = 0;
    std::int64_t depth = 0;
    std::int32_t parent = -1;
  };

  // How far the branch's sequences stay together.
  std::int64_t BranchEnd(const Branch& branch) const {
    auto end = static_cast<std::int64_t>(sequences_[branch.begin].size());
    for (std::size_t i = branch.begin + 1; i < branch.end; ++i) end = std::min(end, shared_[i]);
    return end;
  }

  std::int32_t AddSegments(const Branch& branch, std::int64_t end, ForwardPlan& plan) {
    std::int32_t parent = branch.parent;
    for (std::int64_t from = branch.depth; from < end; from += budget_) {
      const std::int64_t to = std::min(end, from + budget_);
      const auto first = static_cast<std::int64_t>(plan.tokens.size());
      const Sequence sequence = sequences_[branch.begin];
      plan.tokens.insert(plan.tokens.end(), sequence.begin() + from, sequence.begin() + to);
      plan.segments.push_back(
          {first, first + (to - from), parent, static_cast<std::int32_t>(from)});
      parent = static_cast<std::int32_t>(plan.segments.size()) - 1;
    }
    return parent;
  }

  // Splits the branch where its sequences part at `depth`; the first child ends on top.
  void PushChildren(const Branch& branch, std::int64_t depth, std::vector<Branch>& stack) const {
    std::size_t end = branch.end;
    for (std::size_t i = branch.end; i-- > branch.begin;) {
      if (i != branch.begin && shared_[i] > depth) continue;
      stack.push_back({i, end, depth, branch.parent});
      end = i;
    }
  }

  std::span<const Sequence> sequences_;
  const std::int64_t budget_;
  std::vector<std::int64_t> shared_;  // with the sequence before
  std::vector<std::int32_t> leaf_;
};

void CutIntoPacks(ForwardPlan& plan, std::int64_t budget) {
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    const Segment& segment = plan.segments[i];
    if (plan.packs.empty() || segment.end - plan.packs.back().token_begin > budget) {
      const auto at = static_cast<std::int32_t>(i);
      plan.packs.push_back({at, at, segment.begin, segment.begin});
    }
    plan.packs.back().segment_end = static_cast<std::int32_t>(i) + 1;
    plan.packs.back().token_end = segment.end;
  }
  for (std::size_t pack = 0; pack < plan.packs.size(); ++pack) {
    for (std::int32_t i = plan.packs[pack].segment_begin; i < plan.packs[pack].segment_end; ++i) {
      for (std::int32_t at = i; at >= 0; at = plan.segments[at].parent) {
        plan.segments[at].last_pack = static_cast<std::int32_t>(pack);
      }
    }
  }
}

void GiveReadsToPacks(ForwardPlan& plan) {
  std::size_t at = 0;
  for (ForwardPack& pack : plan.packs) {
    pack.read_begin = static_cast<std::int64_t>(at);
    while (at < plan.reads.size() && plan.reads[at].row < pack.token_end) ++at;
    pack.read_end = static_cast<std::int64_t>(at);
  }
}

std::unexpected<Error> Damaged(std::string_view what) {
  return Fail(ErrorKind::kInvalidData, fmt::format("a plan with damaged {}", what));
}

// Segments follow one another through all tokens, each below one of those on the path to the one
// before it.
Status PlaceSegments(ForwardPlan& plan, const PlanBounds& bounds) {
  std::vector<std::int32_t> path;
  std::int64_t end = 0;
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    Segment& segment = plan.segments[i];
    while (!path.empty() && path.back() != segment.parent) path.pop_back();
    if (path.empty() && segment.parent != -1) return Damaged("segments");
    if (segment.begin != end || segment.end <= segment.begin) return Damaged("segments");
    const std::int64_t size = segment.end - segment.begin;
    if (size > bounds.token_budget) return Damaged("segments");
    std::int64_t position = 0;
    if (!path.empty()) {
      const Segment& parent = plan.segments[static_cast<std::size_t>(segment.parent)];
      position = parent.position + parent.end - parent.begin;
    }
    if (position + size > bounds.max_positions) return Damaged("segments");
    segment.position = static_cast<std::int32_t>(position);
    end = segment.end;
    path.push_back(static_cast<std::int32_t>(i));
  }
  if (end != std::ssize(plan.tokens)) return Damaged("segments");
  return {};
}

Status CheckReads(const ScoringPlan& plan, const PlanBounds& bounds) {
  const auto is_token = [&](TokenId token) { return token >= 0 && token < bounds.vocab_size; };
  const std::vector<TokenRead>& reads = plan.forward.reads;
  if (!std::ranges::all_of(plan.forward.tokens, is_token)) return Damaged("tokens");
  const auto is_read = [&](const TokenRead& read) {
    return read.row >= 0 && read.row < std::ssize(plan.forward.tokens) && is_token(read.target);
  };
  const bool are_sorted =
      std::ranges::adjacent_find(reads, std::ranges::greater_equal()) == reads.end();
  if (!std::ranges::all_of(reads, is_read) || !are_sorted) return Damaged("reads");
  const auto is_index = [&](std::int64_t i) { return i >= 0 && i < std::ssize(reads); };
  if (!std::ranges::all_of(plan.read_of, is_index)) return Damaged("predictions");
  const std::vector<std::int64_t>& first = plan.first_read;
  const bool are_filled =
      std::ranges::adjacent_find(first, std::ranges::greater_equal()) == first.end();
  if (first.empty() || first.front() != 0 || first.back() != std::ssize(plan.read_of) ||
      !are_filled) {
    return Damaged("predictions");
  }
  return {};
}

Status CheckRequests(std::span<const ScoringRequest> requests, int token_budget) {
  if (token_budget < 1) {
    return Fail(ErrorKind::kUsage,
                fmt::format("a token budget of {} holds no token", token_budget));
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto size = static_cast<std::int64_t>(requests[i].tokens.size());
    if (requests[i].scored_from < 1 || requests[i].scored_from >= size) {
      return Fail(
          ErrorKind::kUsage,
          fmt::format("request {} has {} tokens and is scored from {}; a scored token needs "
                      "one before it",
                      i, size, requests[i].scored_from));
    }
  }
  return {};
}

class Planner {
 public:
  Planner(std::span<const ScoringRequest> requests, std::int64_t longest_short)
      : requests_(requests), longest_short_(longest_short) {}

  ScoringPlan Plan(int token_budget) {
    SortSequences();
    const auto first_long = std::ranges::find_if(
        sequences_, [&](const Sequence& sequence) { return IsLong(sequence); });
    TrieMaker trie(sequences_, static_cast<std::size_t>(first_long - sequences_.begin()),
                   token_budget);
    trie.Make(plan_.forward);
    CutIntoPacks(plan_.forward, token_budget);
    CollectReads(trie.leaves());
    GiveReadsToPacks(plan_.forward);
    return std::move(plan_);
  }

 private:
  Sequence Input(std::size_t request) const {
    const Sequence tokens(requests_[request].tokens);
    return tokens.first(tokens.size() - 1);
  }

  bool IsLong(const Sequence& sequence) const {
    return longest_short_ > 0 && std::ssize(sequence) > longest_short_;
  }

  // Long ones last.
  void SortSequences() {
    std::vector<std::size_t> order(requests_.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
      const Sequence in_a = Input(a), in_b = Input(b);
      if (IsLong(in_a) != IsLong(in_b)) return IsLong(in_b);
      return std::ranges::lexicographical_compare(in_a, in_b);
    });
    sequence_of_.resize(requests_.size());
    for (const std::size_t request : order) {
      const Sequence input = Input(request);
      plan_.naive_tokens += static_cast<std::int64_t>(input.size());
      if (sequences_.empty() || !std::ranges::equal(sequences_.back(), input)) {
        sequences_.push_back(input);
      }
      sequence_of_[request] = sequences_.size() - 1;
    }
  }

  void CollectReads(std::span<const std::int32_t> leaves) {
    std::vector<TokenRead> all;
    plan_.first_read.push_back(0);
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      const std::vector<TokenId>& tokens = requests_[i].tokens;
      std::int32_t at = leaves[sequence_of_[i]];
      const std::size_t first = all.size();
      for (auto position = static_cast<std::int32_t>(tokens.size()) - 2;
           position >= requests_[i].scored_from - 1; --position) {
        while (plan_.forward.segments[at].position > position) {
          at = plan_.forward.segments[at].parent;
        }
        const Segment& segment = plan_.forward.segments[at];
        all.push_back({segment.begin + position - segment.position, tokens[position + 1]});
      }
      std::reverse(all.begin() + static_cast<std::ptrdiff_t>(first), all.end());
      plan_.first_read.push_back(static_cast<std::int64_t>(all.size()));
    }
    std::vector<TokenRead>& reads = plan_.forward.reads;
    reads = all;
    std::ranges::sort(reads);
    reads.erase(std::ranges::unique(reads).begin(), reads.end());
    plan_.read_of.reserve(all.size());
    for (const TokenRead& read : all) {
      plan_.read_of.push_back(std::ranges::lower_bound(reads, read) - reads.begin());
    }
  }

  std::span<const ScoringRequest> requests_;
  const std::int64_t longest_short_;
  std::vector<Sequence> sequences_;  // unique, sorted
  std::vector<std::size_t> sequence_of_;
  ScoringPlan plan_;
};

}  // namespace

Result<ScoringPlan> PlanScoring(std::span<const ScoringRequest> requests, int token_budget,
                                std::int64_t longest_short) {
  TRY(CheckRequests(requests, token_budget));
  return Planner(requests, longest_short).Plan(token_budget);
}

Result<ScoringPlan> AssemblePlan(ScoringPlan parts, const PlanBounds& bounds) {
  TRY(PlaceSegments(parts.forward, bounds));
  TRY(CheckReads(parts, bounds));
  parts.forward.packs.clear();
  CutIntoPacks(parts.forward, bounds.token_budget);
  GiveReadsToPacks(parts.forward);
  return parts;
}

}  // namespace couplingd
