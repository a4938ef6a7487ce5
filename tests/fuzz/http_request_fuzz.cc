// One word of argv per line. Lines "@@PATH" start a file that is attached: the lines up to the next one are its bytes.
#include "agent/parse/graphql_request.h"
#include "agent/parse/http_request.h"
#include "tests/fuzz/words.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdpoint;
  std::vector<std::string> argv = {"tool"};
  AttachedFiles files;
  AttachedFile* file = nullptr;
  for (std::string& word : Words(data, size)) {
    if (word.rfind("@@", 0) == 0) {
      file = &files[word.substr(2)];
    } else if (file) {
      file->bytes += word + "\n";
    } else {
      argv.push_back(std::move(word));
    }
  }
  for (const HttpCommand& command : {ParseCurl(argv, files), ParseWget(argv, files)}) {
    for (const HttpRequest& request : command.requests) (void)FindGraphql(request);
  }
  return 0;
}
