#include "agent/stream/registry.h"

#include <curl/curl.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/base/escape.h"
#include "agent/base/status.h"
#include "agent/base/version.h"
#include "google/protobuf/descriptor.pb.h"
#include "holdpoint/v1/event.pb.h"

namespace holdpoint {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxAnswer = 4 * 1024 * 1024;
constexpr size_t kShown = 300;  // of what the registry says

struct CurlFree {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct ListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Answer {
  long status = 0;
  Json body;
};

size_t Collect(char* bytes, size_t size, size_t count, void* to) {
  auto& text = *static_cast<std::string*>(to);
  if (text.size() + size * count > kMaxAnswer) return 0;
  text.append(bytes, size * count);
  return size * count;
}

class Client {
 public:
  explicit Client(const RegistryOptions& options) : options_(options), url_(absl::StripSuffix(options.url, "/")) {}

  // Posts a schema to URL/path.
  absl::StatusOr<Answer> Post(const std::string& path, const std::string& schema) {
    const std::unique_ptr<CURL, CurlFree> curl(curl_easy_init());
    if (curl == nullptr) return absl::ResourceExhaustedError("libcurl: no memory");
    const std::string url = absl::StrCat(url_, path);
    const std::string body =
        Json({{"schemaType", "PROTOBUF"}, {"schema", schema}}).dump();
    std::string text;
    const std::unique_ptr<curl_slist, ListFree> headers(
        curl_slist_append(nullptr, "Content-Type: application/vnd.schemaregistry.v1+json"));
    const auto set = [&curl](CURLoption option, auto value) { return curl_easy_setopt(curl.get(), option, value) == CURLE_OK; };
    const auto blob = [&set](CURLoption option, const std::string& pem) {
      curl_blob bytes{.data = const_cast<char*>(pem.data()), .len = pem.size(), .flags = CURL_BLOB_COPY};
      return pem.empty() || set(option, &bytes);
    };
    const bool good =
        set(CURLOPT_URL, url.c_str()) && set(CURLOPT_PROTOCOLS_STR, "https,http") && set(CURLOPT_FOLLOWLOCATION, 0L) &&
        set(CURLOPT_NOSIGNAL, 1L) && set(CURLOPT_PROXY, "") && set(CURLOPT_HTTPHEADER, headers.get()) &&
        set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
        set(CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(options_.timeout))) &&
        set(CURLOPT_USERAGENT, absl::StrCat("holdpoint/", Version()).c_str()) &&
        set(CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size())) && set(CURLOPT_POSTFIELDS, body.c_str()) &&
        set(CURLOPT_WRITEFUNCTION, &Collect) && set(CURLOPT_WRITEDATA, &text) && blob(CURLOPT_CAINFO_BLOB, options_.ca_pem) &&
        blob(CURLOPT_SSLCERT_BLOB, options_.certificate_pem) && blob(CURLOPT_SSLKEY_BLOB, options_.key_pem) &&
        (options_.user.empty() || (set(CURLOPT_USERNAME, options_.user.c_str()) &&
                                   set(CURLOPT_PASSWORD, options_.password.c_str())));
    if (!good) return absl::FailedPreconditionError("libcurl doesn't take the registry's settings");
    if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK) {
      return absl::UnavailableError(
          absl::StrCat("the schema registry at ", url_, " cannot be reached: ", curl_easy_strerror(code)));
    }
    Answer answer;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    answer.body = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (answer.status == 401 || answer.status == 403) {
      return absl::PermissionDeniedError(
          absl::StrCat("the schema registry at ", url_, " refuses this host (", answer.status, "): see kafka.registry"));
    }
    if (answer.status >= 500 || answer.body.is_discarded()) {
      return absl::UnavailableError(absl::StrCat("the schema registry at ", url_, " answers with status ", answer.status,
                                                 answer.body.is_discarded() ? " and no JSON" : ""));
    }
    return answer;
  }

  const std::string& url() const { return url_; }

 private:
  const RegistryOptions& options_;
  const std::string url_;
};

std::string Said(const Json& body) {
  const std::string text = body.is_object() && body.contains("message") && body["message"].is_string()
                               ? body["message"].get<std::string>()
                               : body.dump(-1, ' ', true, Json::error_handler_t::replace);
  return EscapeAndClip(text, kShown);
}

absl::Status CheckUrl(const std::string& url) {
  const bool here = absl::StartsWith(url, "http://127.") || absl::StartsWith(url, "http://localhost") ||
                    absl::StartsWith(url, "http://[::1]");
  if (here || absl::StartsWith(url, "https://")) return absl::OkStatus();
  return absl::InvalidArgumentError("kafka.registry.url: want https://HOST..., http only to this host");
}

}  // namespace

std::string RecordSchema() {
  google::protobuf::FileDescriptorProto file;
  v1::Envelope::descriptor()->file()->CopyTo(&file);
  return absl::Base64Escape(file.SerializeAsString());
}

absl::StatusOr<uint32_t> SchemaId(const RegistryOptions& options, const std::string& subject) {
  HP_RETURN_IF_ERROR(CheckUrl(options.url));
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return absl::InternalError("libcurl can't be initialised");
  Client client(options);
  const auto incompatible = [&](const Json& said) {
    return absl::FailedPreconditionError(absl::StrCat("the schema registry at ", client.url(), " has another schema for ",
                                                      subject, ", and this one is not compatible with it: ", Said(said)));
  };
  const std::string schema = RecordSchema();
  const absl::StatusOr<Answer> there = client.Post(absl::StrCat("/subjects/", subject), schema);
  if (there.ok() && there->status == 200 && there->body.is_object() && there->body.contains("id")) {
    return there->body["id"].get<uint32_t>();
  }
  // As text: not every registry compares descriptors. One that gives no answer here compares when it registers.
  const absl::StatusOr<Answer> fits = client.Post(absl::StrCat("/compatibility/subjects/", subject, "/versions/latest"),
                                                  v1::Envelope::descriptor()->file()->DebugString());
  // 404: nothing is there yet.
  if (fits.ok() && fits->status == 200 && fits->body.is_object() && !fits->body.value("is_compatible", true)) {
    return incompatible(fits->body);
  }
  const std::string path = absl::StrCat("/subjects/", subject, options.register_schema ? "/versions" : "");
  HP_ASSIGN_OR_RETURN(const Answer answer, client.Post(path, schema));
  if (answer.status == 409) return incompatible(answer.body);
  if (answer.status == 404 && !options.register_schema) {
    return absl::FailedPreconditionError(absl::StrCat("the schema registry at ", client.url(), " does not have this schema for ",
                                                      subject, ", and kafka.registry.register is false: register it there"));
  }
  if (answer.status != 200 || !answer.body.is_object() || !answer.body["id"].is_number_unsigned()) {
    return absl::FailedPreconditionError(absl::StrCat("the schema registry at ", client.url(), " does not take the schema for ",
                                                      subject, " (", answer.status, "): ", Said(answer.body)));
  }
  return answer.body["id"].get<uint32_t>();
}

}  // namespace holdpoint
