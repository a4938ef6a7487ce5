#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/sink/line_target.h"
#include "agent/sink/spec.h"

namespace holdpoint {

// The sinks beside the topic. Each has a thread, a reader of the spool, a cursor and counters of its own, so that one that
// is away disturbs no other and not the topic.
class SideSinks {
 public:
  // "NAME=FORMAT:TARGET" and "NAME.KEY=VALUE". kInvalidArgument for the first that is none.
  static absl::StatusOr<std::vector<SinkSpec>> Parse(const std::vector<std::string>& sinks,
                                                     const std::vector<std::string>& settings);

  // A target in a topic: only a program that links librdkafka has one. Any thread.
  using MakeTopic = std::function<absl::StatusOr<std::unique_ptr<LineTarget>>(const std::string& topic)>;

  // While there are rights: opens files, reads certificates, makes the folders of the cursors, all of it for `owner`. What
  // can't be opened is said, and tried again later by its own thread.
  SideSinks(std::vector<SinkSpec> specs, const std::string& state, uid_t owner, MakeTopic make_topic = nullptr);
  ~SideSinks();  // Joins.
  SideSinks(const SideSinks&) = delete;
  SideSinks& operator=(const SideSinks&) = delete;

  // Starts the threads. They end when `stop_fd` is readable or, with `once`, when each has delivered what is in the spool.
  void Start(bool once, int stop_fd);

  // Waits for all of them. The first error that ended one: kDataLoss for a broken cursor, those of the spool's folder.
  absl::Status Join();

 private:
  struct One;
  const MakeTopic make_topic_;
  std::vector<std::unique_ptr<One>> sinks_;
};

}  // namespace holdpoint
