#include "cli/import_submit.h"

#include <algorithm>

namespace couplingd {
namespace {

void Add(ImportSummary& total, ImportSummary part) {
  total.results += part.results;
  total.recorded += part.recorded;
  total.unchanged += part.unchanged;
  total.scores += part.scores;
  for (std::string& note : part.notes) {
    if (std::ranges::find(total.notes, note) == total.notes.end())
      total.notes.push_back(std::move(note));
  }
}

}  // namespace

Result<ImportSummary> SubmitImport(const Places& places, const CliServices& services,
                                   const std::vector<ImportedResult>& results) {
  ImportSummary total;
  bool any_recorded = false;
  for (const auto& part : SplitForTransport(results)) {
    const auto answer = PostToDaemon(places, services, "import", ImportToJson(part));
    if (!answer && answer.error().kind == ErrorKind::kUnavailable && !any_recorded) {
      const auto writer = TRY(OpenWriter(places, services));
      return RecordImport(*writer, services.clock, results);
    }
    Add(total, TRY(ImportSummaryFromJson(TRY(answer))));
    any_recorded = true;
  }
  return total;
}

}  // namespace couplingd
