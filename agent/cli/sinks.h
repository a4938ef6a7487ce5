#pragma once

namespace CLI {
class App;
}

namespace holdpoint {

struct Context;

void AddSinks(CLI::App& app, Context& context);

}  // namespace holdpoint
