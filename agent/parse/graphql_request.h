#pragma once

#include <string>
#include <vector>

#include "agent/parse/graphql.h"
#include "agent/parse/http_request.h"

namespace holdpoint {

// What a request asks of a GraphQL server.
struct GraphqlRequest {
  std::vector<GraphqlOperation> operations;  // of all documents (batches), in order; only chosen ones
  std::vector<std::string> blind_spots;      // "persisted query", "duplicate key \"query\"", "does not parse at 1:9"
  bool found = false;                        // there is a GraphQL document, or the request says that it brings one
};

// Looks for GraphQL in a JSON body (an object or a batch, whatever the content type says, keys in any case), a raw body
// (application/graphql), a form or multipart field ("query", "operations") and the URL's query. A text that is no
// GraphQL (a search for ?query=shoes) is not `found` unless the path or content type names GraphQL: then it is a blind
// spot. Call it once the body is complete; an unseen body of a GraphQL path is a blind spot. Pure.
GraphqlRequest FindGraphql(const HttpRequest& request);

}  // namespace holdpoint
