#include "app/wiring/settings.h"

#include <utility>

namespace frugal {

int run_tool(int argc, char** argv, cli::ToolInfo info, const std::function<int(cli::Tool&, const Settings&)>& body) {
  Settings settings;
  return cli::run_tool(argc, argv, std::move(info), SettingList(settings), settings.common,
                       [&](cli::Tool& tool) { return body(tool, settings); });
}

}  // namespace frugal
