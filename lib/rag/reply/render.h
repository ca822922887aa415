// Formats a reply for people and programs. It returns text and prints nothing. In the formats text and markdown all
// text of documents passes through plain_text() (rag/text/plain_text.h), so that a document cannot send escape
// sequences to a terminal.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "rag/reply/reply.h"
#include "rag/text/language.h"

namespace frugal {

enum class ReplyFormat { text, json, jsonl, markdown, csv, files };
/// Parses a name that --format takes. Throws Error(usage).
ReplyFormat parse_reply_format(std::string_view name);

struct RenderOptions {
  ReplyFormat format = ReplyFormat::text;
  bool explain = false;   // also how the ranking was made, in text, markdown and JSON
  bool streamed = false;  // the text of the answer is on the screen already: the format text omits it
  char path_end = '\n';   // after each path of the format files
};

/// The whole output for one reply, ending in a line feed; csv has its header.
std::string render_reply(const Reply& reply, const RenderOptions& options);

/// "[1] notes.txt:7" for each citation, a line each, followed by its quote if that is wanted. language: of the words.
std::string render_sources(std::span<const Citation> citations, bool with_quotes, Language language);

/// Milliseconds by stage and peak memory, for --timings: one line each.
std::string render_timings(const Reply& reply);

}  // namespace frugal
