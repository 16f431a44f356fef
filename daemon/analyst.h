// Estimates and forecasts, on a thread of their own: a bootstrap takes longer than the daemon may
// stand still.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "config/config.h"
#include "queries/analysis.h"

namespace couplingd {

// Called and calling back on the io_context's thread.
class Analyst {
 public:
  virtual ~Analyst() = default;
  // Analyses the family as history stands when its turn comes. A family that waits already is not
  // taken twice: the first `done` is called once for both.
  virtual void Analyse(const std::string& family, std::function<void(Result<Analysis>)> done) = 0;
  virtual bool busy() const = 0;  // something waits or is under way
};

// Reads `config.DatabasePath()` through its own connection.
std::unique_ptr<Analyst> MakeAnalyst(boost::asio::io_context& io, const Config& config);

}  // namespace couplingd
