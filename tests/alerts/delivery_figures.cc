#include "tests/alerts/delivery_figures.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace couplingd::testing {
namespace {

// What one sink heard of one alert.
struct Knowledge {
  std::int64_t newest_heard = 0;
  bool fires = false;  // the newest that was heard
  std::int64_t newest_attempted = 0;
  std::map<std::pair<std::int64_t, int>, std::string> ids;  // by sequence and repeat
};

using KnowledgeOfAll = std::map<std::pair<std::string, std::string>, Knowledge>;

KnowledgeOfAll Read(const std::vector<Heard>& log, Figures& figures) {
  KnowledgeOfAll all;
  for (const Heard& heard : log) {
    for (const Heard::News& news : heard.news) {
      Knowledge& known = all[{heard.sink, news.key}];
      known.newest_attempted = std::max(known.newest_attempted, news.sequence);
      if (!heard.reached) continue;
      const auto [entry, is_new] =
          known.ids.emplace(std::pair(news.sequence, news.repeat), heard.id);
      figures.changed_ids += !is_new && entry->second != heard.id;
      figures.out_of_order += news.sequence < known.newest_heard;
      if (news.sequence < known.newest_heard) continue;
      known.newest_heard = news.sequence;
      known.fires = news.fires;
    }
  }
  return all;
}

// A message of several alerts may come again in parts: it counts as often as that of its news which
// came again most often.
void CountRepeats(const std::vector<Heard>& log, std::int64_t crashes, Figures& figures) {
  struct Hearing {
    bool acknowledged = false;  // at the newest attempt
    std::int64_t repeats = 0, doubtful = 0;
  };
  using News = std::tuple<std::string, std::int64_t, int>;  // key, sequence, repeat
  std::map<std::pair<std::string, std::string>, std::map<News, Hearing>> messages;  // by sink, id
  for (const Heard& heard : log) {
    std::map<News, Hearing>& of_message = messages[{heard.sink, heard.id}];
    for (const Heard::News& news : heard.news) {
      const News name(news.key, news.sequence, news.repeat);
      const bool is_new = !of_message.contains(name);
      if (is_new && !heard.reached) continue;
      Hearing& hearing = of_message[name];
      if (!is_new && heard.reached) ++(hearing.acknowledged ? hearing.repeats : hearing.doubtful);
      hearing.acknowledged = heard.acknowledged;
    }
  }
  std::map<std::string, std::int64_t> repeats;  // by sink
  for (const auto& [message, of_message] : messages) {
    std::int64_t most = 0, most_doubtful = 0;
    for (const auto& [name, hearing] : of_message) {
      most = std::max(most, hearing.repeats);
      most_doubtful = std::max(most_doubtful, hearing.doubtful);
    }
    repeats[message.first] += most;
    figures.doubtful_repeats += most_doubtful;
  }
  for (const auto& [sink, count] : repeats) {
    figures.repeats += count;
    figures.excess_repeats += std::max<std::int64_t>(count - crashes, 0);
  }
}

}  // namespace

Heard HeardOf(const std::string& sink, const Notification& notification) {
  Heard heard;
  heard.sink = sink;
  heard.id = notification.delivery_id;
  for (const AlertNews& news : notification.news) {
    heard.news.push_back({news.alert.key, news.alert.sequence, news.delivery.repeat,
                          news.alert.state == AlertState::kFiring});
  }
  return heard;
}

Figures& Figures::operator+=(const Figures& other) {
  for (std::int64_t Figures::*field :
       {&Figures::trials, &Figures::kills, &Figures::power_losses, &Figures::disk_errors,
        &Figures::transitions, &Figures::messages, &Figures::failures, &Figures::lost_firing,
        &Figures::lost_resolved, &Figures::out_of_order, &Figures::changed_ids,
        &Figures::excess_repeats, &Figures::lost_rows, &Figures::damaged, &Figures::unfinished,
        &Figures::repeats, &Figures::doubtful_repeats}) {
    this->*field += other.*field;
  }
  failed_seeds.insert(failed_seeds.end(), other.failed_seeds.begin(), other.failed_seeds.end());
  return *this;
}

std::int64_t Figures::violations() const {
  return lost_firing + lost_resolved + out_of_order + changed_ids + excess_repeats + lost_rows +
         damaged + unfinished;
}

std::string TextOf(const Figures& figures) {
  return fmt::format(
      "{} lost firing, {} lost resolved, {} out of order, {} changed ids, {} excess repeats, {} "
      "lost "
      "rows, {} damaged, {} unfinished; seeds {}",
      figures.lost_firing, figures.lost_resolved, figures.out_of_order, figures.changed_ids,
      figures.excess_repeats, figures.lost_rows, figures.damaged, figures.unfinished,
      fmt::join(figures.failed_seeds, " "));
}

void Judge(const std::vector<Heard>& log, const FinalState& end, std::int64_t crashes,
           Figures& figures) {
  const KnowledgeOfAll all = Read(log, figures);
  CountRepeats(log, crashes, figures);
  figures.messages += std::ranges::count_if(log, &Heard::reached);
  figures.failures +=
      std::ranges::count_if(log, [](const Heard& heard) { return !heard.acknowledged; });
  std::map<std::string, FinalState::Newest> newest;
  for (const FinalState::Newest& alert : end.alerts) newest[alert.key] = alert;
  for (const auto& [sink, key] : end.must_know) {
    const auto found = all.find({sink, key});
    const bool knows = found != all.end() && found->second.fires &&
                       found->second.newest_heard == newest[key].sequence;
    figures.lost_firing += !knows;
  }
  for (const auto& [who, known] : all) {
    const auto found = newest.find(who.second);
    const bool fires = found != newest.end() && found->second.fires;
    // What was tried, or something newer, has to arrive; a firing that was heard has to end.
    const bool is_cut_off = known.newest_heard < known.newest_attempted;
    if (fires) {
      figures.lost_firing += is_cut_off;
    } else {
      figures.lost_resolved += known.fires || is_cut_off;
    }
  }
}

}  // namespace couplingd::testing
