// E-mail to text: the header fields that a reader sees, the text of the message, the names of what is attached.
//
// A mailbox (mbox, RFC 4155) is a sequence of messages, each after a line that begins with "From "; it streams, one
// message at a time. A message that is longer than the limit of a record is cut: what is lost is nearly always the end
// of an attachment, which is not read anyway. Where it is text, the message is reported.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/ascii.h"
#include "base/error.h"
#include "rag/extract/extract_formats.h"
#include "rag/extract/html_document.h"
#include "rag/extract/mime.h"

namespace frugal {
namespace {

constexpr int kMaxDepth = 32;        // of parts in parts
constexpr int64_t kMaxParts = 1000;  // of a message
constexpr std::string_view kFields[][2] = {
    {"subject", "Subject"}, {"from", "From"}, {"to", "To"}, {"cc", "Cc"}, {"date", "Date"}};

std::string without_returns(std::string text) {
  std::erase(text, '\r');
  return text;
}

/// Reads one message.
class MailReader {
 public:
  /// was_cut: the message goes on behind its last byte.
  MailReader(std::string_view message, bool was_cut) : message_(message), was_cut_(was_cut) {}

  /// Nothing if these bytes have no header field.
  std::optional<Document> read() {
    size_t at = 0;
    const MimeHeader header(message_, at);
    if (header.empty()) return std::nullopt;
    write_fields(header);
    part(header, message_.substr(at), 0);
    Document document;
    document.title = header.text("subject");
    document.text = std::move(text_);
    document.external_id = trim(header.raw("message-id"));
    if (document.external_id.starts_with('<')) document.external_id.erase(0, 1);
    if (document.external_id.ends_with('>')) document.external_id.pop_back();
    return document;
  }

  int64_t attachments() const { return attachments_; }
  bool text_was_cut() const { return text_was_cut_; }

 private:
  void write_fields(const MimeHeader& header) {
    std::string fields;
    for (const auto& [name, label] : kFields)
      if (const std::string value = header.text(name); !value.empty())
        fields += fmt::format("{}{}: {}", fields.empty() ? "" : "\n", label, value);
    paragraph(fields);
  }

  void paragraph(std::string_view text) {
    const size_t begin = text.find_first_not_of("\r\n");
    if (begin == std::string_view::npos) return;
    text = text.substr(begin,
                       text.find_last_not_of(" \t\r\n") + 1 - std::min(begin, text.find_last_not_of(" \t\r\n") + 1));
    if (text.empty()) return;
    if (!text_.empty()) text_ += "\n\n";
    text_ += text;
  }

  bool is_last(std::string_view body) const { return body.data() + body.size() == message_.data() + message_.size(); }

  void part(const MimeHeader& header, std::string_view body, int depth) {
    if (depth > kMaxDepth || ++parts_ > kMaxParts) return;
    const MimeValue type(header.raw("content-type")), disposition(header.raw("content-disposition"));
    const std::string_view kind = type.value.empty() ? std::string_view("text/plain") : type.value;
    std::string name = disposition.parameter("filename");
    if (name.empty()) name = type.parameter("name");
    const bool is_text = kind == "text/plain" || kind == "text/html";
    if (kind.starts_with("multipart/")) {
      multipart(kind, type.parameter("boundary"), body, depth);
    } else if (kind == "message/rfc822") {
      message(body, depth);
    } else if (is_text && disposition.value != "attachment" && name.empty()) {
      text_was_cut_ |= was_cut_ && is_last(body);
      paragraph(text_of(header, type, body));
    } else {
      ++attachments_;
      paragraph(fmt::format("Attachment: {}", name.empty() ? std::string(kind) : collapse_spaces(name)));
    }
  }

  /// A forwarded message.
  void message(std::string_view body, int depth) {
    size_t at = 0;
    const MimeHeader header(body, at);
    write_fields(header);
    part(header, body.substr(at), depth + 1);
  }

  std::string text_of(const MimeHeader& header, const MimeValue& type, std::string_view body) {
    std::string text = without_returns(
        decode_charset(decode_transfer(body, header.raw("content-transfer-encoding")), type.parameter("charset")));
    if (type.value != "text/html") return text;
    try {
      return document_of_html(text).text;
    } catch (const Error& error) {  // one page must not keep a mailbox from being read
      ++attachments_;
      return fmt::format("Attachment: a page that cannot be read ({})", error.message());
    }
  }

  void multipart(std::string_view kind, const std::string& boundary, std::string_view body, int depth) {
    std::vector<std::string_view> bodies = parts_between("--" + boundary, body);
    if (boundary.empty() || bodies.empty()) bodies = {body};  // damaged: its text is better than nothing
    if (kind == "multipart/alternative") return alternative(bodies, depth);
    for (const std::string_view each : bodies) part_at(each, depth);
  }

  void part_at(std::string_view bytes, int depth) {
    size_t at = 0;
    const MimeHeader header(bytes, at);
    part(header, bytes.substr(at), depth + 1);
  }

  /// One text in several formats: the first that has any, plain text before others.
  void alternative(const std::vector<std::string_view>& bodies, int depth) {
    std::vector<std::string_view> order = bodies;
    std::stable_partition(order.begin(), order.end(), [](std::string_view bytes) {
      size_t at = 0;
      return MimeValue(MimeHeader(bytes, at).raw("content-type")).value == "text/plain";
    });
    for (const std::string_view each : order) {
      const size_t before = text_.size();
      part_at(each, depth);
      if (text_.size() > before) return;
    }
  }

  /// What lies between the lines that are `delimiter`.
  static std::vector<std::string_view> parts_between(const std::string& delimiter, std::string_view body) {
    std::vector<std::string_view> parts;
    std::optional<size_t> begin;
    for (size_t line = 0; line < body.size();) {
      const size_t end = std::min(body.find('\n', line), body.size());
      const std::string_view text = body.substr(line, end - line);
      if (text.starts_with(delimiter)) {
        const std::string_view rest = trim(text.substr(delimiter.size()));
        if (rest.empty() || rest == "--") {
          if (begin) parts.push_back(body.substr(*begin, line - *begin));
          begin = std::min(end + 1, body.size());
          if (rest == "--") return parts;
        }
      }
      line = end + 1;
    }
    if (begin) parts.push_back(body.substr(*begin));
    return parts;
  }

  std::string_view message_;
  bool was_cut_;
  std::string text_;
  int64_t parts_ = 0, attachments_ = 0;
  bool text_was_cut_ = false;
};

std::string attachments_note(int64_t attachments) {
  return attachments == 0 ? "" : fmt::format("{} attachment{} not read", attachments, attachments == 1 ? "" : "s");
}

class MboxReader {
 public:
  MboxReader(LineReader& lines, const ExtractOptions& options, const DocumentSink& sink)
      : lines_(lines), max_bytes_(options.max_record_bytes), sink_(sink) {}

  Extracted read() {
    std::string line;
    bool after_blank = true;
    while (lines_.next(line)) {
      if (lines_.number() == 1 && !line.starts_with("From "))
        throw Error(Code::bad_input, "not a mailbox: its first line does not begin with 'From '");
      if (after_blank && line.starts_with("From ")) {
        end_message();
        begin_line_ = lines_.number();
        continue;
      }
      after_blank = !lines_.too_long() && (line.empty() || line == "\r");
      keep(line);
    }
    end_message();
    return {attachments_note(attachments_), skipped_.text(), ""};
  }

 private:
  void keep(std::string_view line) {
    const size_t quotes = line.find_first_not_of('>');
    if (quotes != std::string_view::npos && quotes > 0 && line.substr(quotes).starts_with("From "))
      line.remove_prefix(1);
    was_cut_ |= lines_.too_long() || message_.size() + line.size() >= max_bytes_;
    if (was_cut_) return;
    lines_.memory().hold(message_.size() + line.size() + 1);
    message_ += line;
    message_ += '\n';
  }

  void end_message() {
    if (begin_line_ > 0) {
      ++number_;
      read_message();
    }
    message_.clear();
    was_cut_ = false;
  }

  void read_message() {
    MailReader reader(message_, was_cut_);
    std::optional<Document> document = reader.read();
    if (!document) return skipped_.add("not an e-mail: no header", begin_line_);
    if (reader.text_was_cut()) skipped_.add("longer than the limit, its end is left out", begin_line_);
    attachments_ += reader.attachments();
    document->is_record = true;
    document->line = begin_line_;
    if (document->external_id.empty()) document->external_id = std::to_string(number_);
    sink_(std::move(*document));
  }

  LineReader& lines_;
  uint64_t max_bytes_;
  const DocumentSink& sink_;
  std::string message_;
  bool was_cut_ = false;
  int64_t begin_line_ = 0;  // of the message
  int64_t number_ = 0;
  int64_t attachments_ = 0;
  SkippedRecords skipped_;
};

}  // namespace

Extracted extract_eml(const std::string& message, const DocumentSink& sink) {
  MailReader reader(message, false);
  std::optional<Document> document = reader.read();
  if (!document) throw Error(Code::bad_input, "not an e-mail: it does not begin with a header");
  document->external_id.clear();
  if (document->title.empty()) document->title = "(no subject)";
  sink(std::move(*document));
  return {attachments_note(reader.attachments()), "", ""};
}

Extracted extract_mbox(LineReader& lines, const ExtractOptions& options, const DocumentSink& sink) {
  return MboxReader(lines, options, sink).read();
}

}  // namespace frugal
