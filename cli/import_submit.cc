#include "cli/import_submit.h"

#include <unistd.h>

#include <algorithm>

#include "base/files.h"

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

Result<std::optional<std::string>> WritableScoresFolder(const Places& places,
                                                        const CliServices& services) {
  if (places.database.empty()) return std::nullopt;
  // Opening makes the folders of a new state directory; a daemon that holds it has made them.
  if (::access(places.database.c_str(), F_OK) != 0) TRY(OpenWriter(places, services));
  std::string folder = JoinPath(DirectoryName(places.database), "scores");
  if (::access(folder.c_str(), W_OK | X_OK) != 0) return std::nullopt;
  return folder;
}

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
