#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/notify/webhook.h"

namespace holdpoint {

// The webhook that `settings` name, with the files they name, read as root before rights are given up. kNotFound where
// there is none. kPermissionDenied for a secret (or an address, which may hold one) that others than root could read or
// write; kFailedPrecondition for an address that is neither https nor http to this host.
absl::StatusOr<Webhook::Options> ReadWebhook(const NoticeSettings& settings);

// Is this an address that a webhook may have? https, or http to loopback; no user name in it. Pure.
bool IsWebhookUrl(absl::string_view url);

}  // namespace holdpoint
