// A reply as people and programs read it. Returns text; printing is the tool's.
// Text for terminals is plain (prompt.h: plain_text): a document cannot send escape sequences through an answer.
#pragma once

#include <string>
#include <string_view>

#include "rag/answer/query.h"

namespace frugal {

enum class ReplyFormat { text, json, jsonl, markdown, csv, files };
/// By the names that --format uses. Throws Error(usage).
ReplyFormat parse_reply_format(std::string_view name);

struct RenderOptions {
  ReplyFormat format = ReplyFormat::text;
  bool explain = false;
  bool streamed = false;  // the answer's text is on the screen already: text shows only what belongs under it
};

/// The whole output for one reply, ending in a line feed. csv begins with its header.
std::string render_reply(const Reply& reply, const RenderOptions& options);

/// Milliseconds and bytes by stage, for --timings on standard error.
std::string render_timings(const Reply& reply);

}  // namespace frugal
