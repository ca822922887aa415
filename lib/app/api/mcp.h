// The Model Context Protocol (specification 2025-06-18): lets an assistant search the index, ask it, read passages and
// see the state of the server, as the tools search, ask, get and status. JSON-RPC 2.0, over HTTP (POST /mcp) or over
// standard input and output.
#pragma once

#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <string_view>

#include "app/api/routes.h"

namespace frugal::api {

/// The response to one message; nullopt: it was a notification or a response. Never throws for what the message says.
std::optional<std::string> answer_mcp(Context& context, std::string_view message);

/// Answers the messages of `lines`, one on each line, until it ends. `print` gets a line for each response.
void serve_mcp(Context& context, std::istream& lines, const std::function<void(const std::string& line)>& print);

}  // namespace frugal::api
