// Whether a question asks for several things, so that several passages may answer it.
#pragma once

#include <span>

#include "rag/text/words.h"

namespace frugal {

/// True for "quais são …", "cite …", "which two …", "list …", "in which cases …" and the like. Errs towards false: a
/// second passage is noise where one thing is asked for. words: of the question.
bool asks_for_several(std::span<const Word> words);

}  // namespace frugal
