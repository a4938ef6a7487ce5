#include "agent/presence/pam.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

// Answers prompts for a password and nothing else: a module that wants to know more than that is not proof of
// anything here.
int Converse(int count, const pam_message** messages, pam_response** answers, void* data) {
  if (count <= 0 || count > PAM_MAX_NUM_MSG) return PAM_CONV_ERR;
  auto* list = static_cast<pam_response*>(calloc(static_cast<size_t>(count), sizeof(pam_response)));
  if (list == nullptr) return PAM_BUF_ERR;
  bool fine = true;
  for (int i = 0; i < count && fine; ++i) {
    if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF) {
      list[i].resp = strdup(static_cast<const Secret*>(data)->c_str());
      fine = list[i].resp != nullptr;
    } else {
      fine = messages[i]->msg_style == PAM_TEXT_INFO || messages[i]->msg_style == PAM_ERROR_MSG;
    }
  }
  if (fine) {
    *answers = list;
    return PAM_SUCCESS;
  }
  for (int i = 0; i < count; ++i) {
    if (list[i].resp != nullptr) explicit_bzero(list[i].resp, strlen(list[i].resp));
    free(list[i].resp);
  }
  free(list);
  return PAM_CONV_ERR;
}

// libpam takes /etc/pam.d/other for a service that has no file: what that allows was not written for this.
absl::Status CheckService(const std::string& service) {
  if (service.empty() || service.size() > 64 || !std::all_of(service.begin(), service.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) || c == '-' || c == '_';
      })) {
    return absl::InvalidArgumentError("the PAM service: a name of letters, digits, - and _ is wanted");
  }
  const std::string file = absl::StrCat("/etc/pam.d/", service);
  if (access(file.c_str(), R_OK) != 0) {
    return absl::UnavailableError(absl::StrCat(
        file, ": ", strerror(errno), ": install scripts/pam/holdpoint there, no decision can be proven without it"));
  }
  return absl::OkStatus();
}

absl::Status FromPam(pam_handle_t* pam, int result, const std::string& user) {
  switch (result) {
    case PAM_SUCCESS:
      return absl::OkStatus();
    case PAM_AUTH_ERR:
    case PAM_USER_UNKNOWN:
    case PAM_MAXTRIES:
    case PAM_PERM_DENIED:
    case PAM_CRED_INSUFFICIENT:
    case PAM_ACCT_EXPIRED:
    case PAM_NEW_AUTHTOK_REQD:
    case PAM_AUTHTOK_EXPIRED:
    case PAM_CRED_EXPIRED:
      return absl::PermissionDeniedError(absl::StrCat("the password of ", user, " was not accepted"));
    default:
      return absl::UnavailableError(absl::StrCat("PAM could not be asked: ", pam_strerror(pam, result)));
  }
}

}  // namespace

absl::Status CheckPassword(const std::string& service, const std::string& user, const Secret& password) {
  HP_RETURN_IF_ERROR(CheckService(service));
  const pam_conv conversation{.conv = Converse, .appdata_ptr = const_cast<Secret*>(&password)};
  pam_handle_t* pam = nullptr;
  int result = pam_start(service.c_str(), user.c_str(), &conversation, &pam);
  if (result != PAM_SUCCESS) return absl::UnavailableError("PAM could not be started");
  absl::Cleanup end = [&pam, &result] { pam_end(pam, result); };
  const int flags = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK;
  result = pam_authenticate(pam, flags);
  if (result == PAM_SUCCESS) result = pam_acct_mgmt(pam, flags);
  return FromPam(pam, result, user);
}

}  // namespace holdpoint
