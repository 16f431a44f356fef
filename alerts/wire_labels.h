// An alert as Prometheus and Alertmanager spell it: labels say which alert it is, annotations say
// what it tells. Internal to alerts/.
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "records/alert.h"

namespace couplingd {

using Texts = std::map<std::string, std::string>;

// alertname, severity and what else the finding is labelled with; names that Prometheus would
// refuse are mended, empty values left out. The same for all the time that an alert fires.
Texts WireLabels(const Finding& finding);

// summary, description, runbook_url where there is one, resolution once it is over.
Texts WireAnnotations(const Alert& alert);

// The zero time of Go, which stands for "not over".
inline constexpr char kZeroTime[] = "0001-01-01T00:00:00Z";

}  // namespace couplingd
