// The model that a request names, opened step by step: what evaluating, looking inside and steering
// have in common.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/result.h"
#include "probes/benchmark/requests.h"
#include "probes/checkpoint/open_checkpoint.h"
#include "probes/device/place.h"
#include "probes/evaluator/settings.h"
#include "probes/model/decoder.h"
#include "probes/scoring/memory_model.h"
#include "probes/tokenizer/tokenizer.h"

namespace couplingd {

// Takes one frame (a JSON object on one line). An error stops the work: nobody listens any more.
using SendFrame = std::function<Status(std::string_view frame)>;

// Open, ChooseDevice and Load go in this order. Not thread-safe.
class ModelSession {
 public:
  // Settings, clock and receiver outlive the session.
  ModelSession(const EvaluationSettings& settings, const Clock& clock, const SendFrame& send)
      : settings_(settings), clock_(clock), send_(send), started_(clock.Steady()) {}

  // config.json, the headers of the weights and the tokenizer.
  Status Open();
  // Where to compute; caps GPU memory.
  Status ChooseDevice();
  // Makes a decoder that can be used while its weights are still read; FinishLoading, before a
  // result is written, says whether they were all good and stayed what they were.
  Status StartLoading();
  Status FinishLoading();
  // Both.
  Status Load();
  // Puts weights that never learned in the place of those loaded (reinitialised_source.h).
  Status LoadReinitialised(std::uint64_t seed);

  // What the request names beside the checkpoint is not the checkpoint's fault: an error of reading
  // `path` becomes one of the request where it does not lie in the checkpoint.
  template <typename T>
  Result<T> FromOutside(const std::string& path, Result<T> read) const {
    const bool is_of_the_file = !read && (read.error().kind == ErrorKind::kInvalidData ||
                                          read.error().kind == ErrorKind::kUnsupported ||
                                          read.error().kind == ErrorKind::kNotFound ||
                                          read.error().kind == ErrorKind::kPermission);
    if (is_of_the_file && !IsWithin(path, settings_.checkpoint)) {
      read.error().kind = ErrorKind::kUsage;
    }
    return read;
  }

  const ModelConfig& config() const { return config_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const Place& place() const { return place_; }
  Decoder& decoder() { return *decoder_; }

  // How texts are encoded for this model.
  EncodeOptions Encoding() const;
  int TokenBudget() const;
  // How its memory is estimated (memory_model.h).
  MemoryPlace MemoryOf() const;
  // Bytes that it may take: the limit, or what the device has free where that is less; absent where
  // nothing says.
  std::optional<std::int64_t> MemoryCap() const;

  Status Send(std::string_view frame) const { return send_(frame); }
  Status Note(std::string_view topic, std::string_view text) const;
  Status Progress(std::int64_t done, std::int64_t total, std::string_view task) const;

  // {"model_type","parameters","d_model","device","dtype"} of a start or result frame.
  void WriteModel(JsonWriter& json) const;
  // {"weights_hash"} and WriteModel and {"tokenizer_hash","bos"} of a result frame.
  void WriteIdentity(JsonWriter& json) const;

  // {"config","files"}: the hash of config.json, and the weights' files with inode, size and time
  // of the last change, all as they were opened. Tells the model from others before it is read.
  void WriteFiles(JsonWriter& json) const;

  // Ends a step whose seconds go into the result frame.
  void EndStep(std::string_view name);
  void WriteSeconds(JsonWriter& json) const;
  double Seconds() const;  // since the session began

 private:
  Result<ModelConfig> ReadModelConfigFile();
  ReadRoots Roots() const;
  double SecondsSince(std::chrono::steady_clock::time_point start) const;

  const EvaluationSettings& settings_;
  const Clock& clock_;
  const SendFrame& send_;
  const std::chrono::steady_clock::time_point started_;
  std::optional<std::chrono::steady_clock::time_point> step_;
  std::vector<std::pair<std::string, double>> seconds_;

  ModelConfig config_;
  std::string config_hash_;
  CheckpointWeights weights_;        // until FinishLoading
  std::vector<TensorInfo> tensors_;  // what the checkpoint holds
  std::string files_;                // of WriteFiles
  std::unique_ptr<Tokenizer> tokenizer_;
  Place place_;
  std::unique_ptr<Decoder> decoder_;
  std::string weights_hash_;
};

}  // namespace couplingd
