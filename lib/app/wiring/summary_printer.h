// Prints the summaries of one or more files in the format of the tool.
#pragma once

#include <functional>
#include <string>

#include "app/cli/tool.h"
#include "app/wiring/summary_session.h"

namespace frugal::cli {

class SummaryPrinter {
 public:
  /// with_marks: text has the marks of citations and the list of sources. several: text names each file.
  SummaryPrinter(const Tool& tool, SummaryStyle style, bool with_marks, bool several);

  /// Before a file is summarised.
  void begin(const std::string& file);
  /// Prints sentences as they come, if standard output is a terminal and the format text; else empty.
  std::function<void(const SummaryStatement&)> stream();
  /// The summary, or what stream() has not printed of it.
  void end(const SummarySession::Result& result);

 private:
  SummaryStyle style_;
  bool is_text_;
  int indent_;  // of JSON
  bool with_marks_, streams_, several_;
  bool is_first_file_ = true, is_first_sentence_ = true;
};

}  // namespace frugal::cli
