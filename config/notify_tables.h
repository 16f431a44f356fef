// The keys of when and how often sinks are told: their part of tables.h.
#pragma once

#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/schema.h"

namespace couplingd {

const Table<NotifyConfig>& NotifyTable();
const Table<InhibitionConfig>& InhibitionTable();

std::optional<std::vector<Matcher>> ReadMatchers(const YAML::Node& node, const Scope& scope);
std::string ShowMatchers(const std::vector<Matcher>& matchers);

template <typename S>
Key<S> MatchersKey(std::string_view name, std::vector<Matcher> S::*member, std::string_view doc) {
  return MakeKey(name, member, doc, ReadMatchers, ShowMatchers);
}

// What is used where the file names no inhibitions: a run that cannot be evaluated says so once.
std::vector<InhibitionConfig> DefaultInhibitions();

}  // namespace couplingd
