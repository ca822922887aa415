// The grounded prompt: sources as data between delimiters that a source cannot know, the question, and the rules.
// What a document says is never an instruction, and never reaches a terminal as more than text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenize/chat.h"
#include "rag/answer/query.h"

namespace frugal {

/// Names the template in cache keys: changes with every change of its words.
inline constexpr std::string_view kPromptTemplate = "grounded/2";

/// `text` as plain text: escape sequences, control characters (but for line feed and tab), bidirectional controls,
/// invisible joiners and tag characters are removed; bad UTF-8 becomes U+FFFD. What remains is unchanged.
std::string plain_text(std::string_view text);

struct GroundedPrompt {
  std::vector<ChatMessage> messages;
  size_t sources = 0;  // how many of the hits fit, from the first
};

/// System and user message over as many of `hits` as fit in `max_tokens` (counted by `count_tokens`); the last one that
/// does not fit whole is left out, the first is cut if it must be. Each source is enclosed by its own boundary
/// (boundary.h), which `boundary_of` makes of its words; what the hits' boundaries are is removed from all words. What
/// comes first does not depend on what comes later: prompts that begin with the same sources begin with the same text.
/// Throws Error(bad_input) if not even the question fits.
GroundedPrompt grounded_prompt(std::string_view question, std::span<const Hit> hits,
                               const std::function<std::string(std::string_view source)>& boundary_of,
                               int64_t max_tokens,
                               const std::function<int64_t(std::span<const ChatMessage>)>& count_tokens);

}  // namespace frugal
