#include "app/wiring/summary_printer.h"

#include "app/cli/output.h"

namespace frugal::cli {

SummaryPrinter::SummaryPrinter(const Tool& tool, SummaryStyle style, bool with_marks, bool several)
    : style_(style),
      is_text_(tool.format() == "text"),
      indent_(tool.format() == "json" ? 2 : -1),
      with_marks_(with_marks),
      streams_(is_text_ && stdout_is_terminal()),
      several_(several) {}

void SummaryPrinter::begin(const std::string& file) {
  is_first_sentence_ = true;
  if (!is_text_ || !several_) return;
  print("{}{}\n", is_first_file_ ? "" : "\n", file);
  is_first_file_ = false;
}

std::function<void(const SummaryStatement&)> SummaryPrinter::stream() {
  if (!streams_) return {};
  return [this](const SummaryStatement& statement) {
    print(render_statement(statement, style_, is_first_sentence_, with_marks_));
    is_first_sentence_ = false;
    flush_output();
  };
}

void SummaryPrinter::end(const SummarySession::Result& result) {
  if (!is_text_) {
    print(summary_to_json(result.summary, result.frame, indent_));
  } else if (streams_) {
    print("\n" + (with_marks_ ? render_summary_sources(result.summary) : ""));
  } else {
    print(render_summary(result.summary, with_marks_));
  }
  if (is_text_ && !result.frame.note.empty()) print_message("note: " + result.frame.note);
  flush_output();
}

}  // namespace frugal::cli
