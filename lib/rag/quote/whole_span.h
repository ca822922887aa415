// A short answer that begins or ends where words and numbers do: of "cento e vinte dias" never "vinte dias".
#pragma once

#include <string_view>

#include "rag/quote/passage_parts.h"

namespace frugal {

/// `span`, widened to the words and numbers that it cuts, as split_words() has them; to the whole of a number that is
/// written in words (law/number_words.h), if nothing but spaces and hyphens stands between them; and to the currency
/// in front of its first number and the sign behind its last one (%, º, ª, °). A span without a word stays as it is.
TextRange whole_span(std::string_view text, TextRange span);

}  // namespace frugal
