// Decides whether the cached answer of one question may answer another. It alone decides: similarity only proposes.
// The guard errs towards a miss, which costs a second; a false hit is a wrong answer with a citation.
#pragma once

#include <string>
#include <string_view>

#include "rag/guard/question_form.h"

namespace frugal {

struct GuardVerdict {
  bool same = false;
  /// Why: "asks for the same text: br/lgpd, art. 5", "numbers differ: 7 | 30", "the order of the words differs".
  std::string reason;
};

/// Whether both questions ask the same. Symmetric. guard.cpp has the rules.
GuardVerdict compare_questions(const QuestionForm& a, const QuestionForm& b);
/// The same for texts. laws: for the names of laws.
GuardVerdict compare_questions(std::string_view a, std::string_view b, const LawTable& laws);

}  // namespace frugal
