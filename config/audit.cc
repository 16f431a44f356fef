#include "config/audit.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <set>
#include <sstream>
#include <vector>

namespace couplingd {
namespace {

class Auditor final : public YAML::EventHandler {
 public:
  Auditor(Problems& problems, const YamlLimits& limits) : problems_(problems), limits_(limits) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 2) problems_.Add(mark.line + 1, "", "a second YAML document begins here");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Leaf(mark, anchor, "~"); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string& value) override {
    Leaf(mark, anchor, value);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto size = sizes_.find(anchor);
    if (size == sizes_.end()) {
      Once(recursive_, mark, "an alias stands inside what it names");
      return;
    }
    Enter(mark, size->second);
    Left();
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, anchor, false);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, anchor, true);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    bool is_map;
    YAML::anchor_t anchor;
    long nodes_before;
    bool expects_key = true;
    std::set<std::string> keys;
  };

  void Leaf(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& value) {
    Enter(mark, 1);
    if (anchor != YAML::NullAnchor) sizes_[anchor] = 1;
    if (!frames_.empty() && frames_.back().is_map && frames_.back().expects_key &&
        !frames_.back().keys.insert(value).second) {
      problems_.Add(mark.line + 1, "", fmt::format("the key \"{}\" stands twice", value),
                    "keep one of them");
    }
    Left();
  }

  void Open(const YAML::Mark& mark, YAML::anchor_t anchor, bool is_map) {
    const long before = nodes_;
    Enter(mark, 1);
    frames_.push_back({is_map, anchor, before});
    if (static_cast<int>(frames_.size()) > limits_.max_depth) {
      Once(deep_, mark, fmt::format("nested deeper than {} levels", limits_.max_depth));
    }
  }

  void Close() {
    if (frames_.back().anchor != YAML::NullAnchor) {
      sizes_[frames_.back().anchor] = nodes_ - frames_.back().nodes_before;
    }
    frames_.pop_back();
    Left();
  }

  void Enter(const YAML::Mark& mark, long nodes) {
    nodes_ += nodes;
    if (nodes_ > limits_.max_nodes) {
      nodes_ = limits_.max_nodes;
      Once(large_, mark, fmt::format("more than {} values, aliases unfolded", limits_.max_nodes));
    }
  }

  void Left() {
    if (!frames_.empty()) frames_.back().expects_key = !frames_.back().expects_key;
  }

  void Once(bool& said, const YAML::Mark& mark, const std::string& cause) {
    if (!std::exchange(said, true)) problems_.Add(mark.line + 1, "", cause);
  }

  Problems& problems_;
  const YamlLimits limits_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, long> sizes_;
  long nodes_ = 0;
  int documents_ = 0;
  bool recursive_ = false, deep_ = false, large_ = false;
};

}  // namespace

void AuditYaml(const std::string& text, Problems& problems, const YamlLimits& limits) {
  Auditor auditor(problems, limits);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(auditor)) {
    }
  } catch (const YAML::Exception& error) {
    problems.Add(error.mark.line + 1, "", "not valid YAML: " + error.msg);
  } catch (const std::exception& error) {
    problems.Add(0, "", fmt::format("not readable as YAML: {}", error.what()));
  }
}

}  // namespace couplingd
