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

/// The version that a client is taken to speak before it has said which.
inline constexpr std::string_view kAssumedMcpVersion = "2025-03-26";

struct McpAnswer {
  std::optional<std::string> json = {};  // nullopt: there is nothing to answer
  bool is_refused = false;               // the message could not be used at all: over HTTP, 400
  std::string version = {};              // negotiated by this message; empty: none was
};

/// Answers a message. `version`: of the protocol that the client speaks; 2025-03-26 alone has batches, lists of
/// messages. Never throws for what the message says.
McpAnswer answer_mcp(Context& context, std::string_view message, std::string_view version = kAssumedMcpVersion);

/// Answers the messages of `lines`, one on each line, until it ends. `print` gets a line for each response.
void serve_mcp(Context& context, std::istream& lines, const std::function<void(const std::string& line)>& print);

}  // namespace frugal::api
