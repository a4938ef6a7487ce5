#pragma once

#include "agent/environment/coding_agents.h"
#include "agent/environment/configuration.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// Fills in what the gate and the kernel need of the configuration: environments, destinations (most specific first:
// the first that holds an address and port decides, as in DestinationTag), agent_names, limits, kafka.
// Leaves accepted, policy_hash, rules and listed_names to the judge. Pure.
void FillConfigured(const Configuration& configuration, const CodingAgents& agents, v1::Configured* configured);

// The part of it that holdpoint-stream is started with.
void FillKafka(const KafkaConfig& configuration, v1::Kafka* kafka);

}  // namespace holdpoint
