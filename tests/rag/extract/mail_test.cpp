// E-mail: header fields, parts, encodings; mailboxes of any size.
#include <doctest/doctest.h>

#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "rag/extract/extract.h"
#include "rag/extract/mime.h"
#include "support/errors.h"

using namespace frugal;

namespace {

struct Mail {
  std::vector<Document> documents;
  Extracted extracted;
};
Mail read(const std::string& bytes, FileKind kind, ExtractOptions options = {}) {
  std::istringstream input(bytes);
  Mail mail;
  mail.extracted =
      extract(input, kind, "mail", options, [&](Document each) { mail.documents.push_back(std::move(each)); });
  return mail;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A stream of `messages` copies of a message, which exists nowhere as a whole.
class EndlessMailbox : public std::streambuf {
 public:
  EndlessMailbox(std::string message, int64_t messages) : message_(std::move(message)), left_(messages) {}

 protected:
  int_type underflow() override {
    if (left_-- <= 0) return traits_type::eof();
    setg(message_.data(), message_.data(), message_.data() + message_.size());
    return traits_type::to_int_type(message_[0]);
  }

 private:
  std::string message_;
  int64_t left_;
};

}  // namespace

TEST_CASE("an e-mail is its fields and its text") {
  const Mail mail = read(
      "Received: from x\r\nSubject: =?utf-8?Q?Reuni=C3=A3o_de?=\r\n =?utf-8?Q?_ter=C3=A7a?=\r\n"
      "From: =?iso-8859-1?B?Sm/jbw==?= <joao@example.org>\r\nTo: ana@example.org\r\nDate: Tue, 3 Mar 2026 10:00:00 "
      "+0000\r\n"
      "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
      "A reuni=E3o come=E7a =\r\n=E0s dez.\r\n",
      FileKind::eml);
  REQUIRE(mail.documents.size() == 1);
  CHECK(mail.documents[0].title == "Reunião de terça");
  CHECK(mail.documents[0].text ==
        "Subject: Reunião de terça\nFrom: João <joao@example.org>\nTo: ana@example.org\n"
        "Date: Tue, 3 Mar 2026 10:00:00 +0000\n\nA reunião começa às dez.");
  CHECK_FALSE(mail.documents[0].is_record);
}

TEST_CASE("of two formats of a text one is read, and attachments are named") {
  const Mail mail = read(
      "Subject: s\nContent-Type: multipart/mixed; boundary=\"b1\"\n\npreamble\n--b1\n"
      "Content-Type: multipart/alternative; boundary=b2\n\n--b2\nContent-Type: text/html\n\n<p>From the "
      "<b>page</b>\n--b2\n"
      "Content-Type: text/plain\n\nFrom the text\n--b2--\n--b1\nContent-Type: application/pdf\n"
      "Content-Disposition: attachment; filename*=utf-8''relat%C3%B3rio.pdf\nContent-Transfer-Encoding: base64\n\n"
      "JVBERi0xLjQK\n--b1\nContent-Type: message/rfc822\n\nSubject: inner\n\nForwarded words\n--b1--\nepilogue\n",
      FileKind::eml);
  const std::string& text = mail.documents.at(0).text;
  CHECK(holds(text, "From the text"));
  CHECK_FALSE(holds(text, "From the page"));
  CHECK(holds(text, "Attachment: relatório.pdf"));
  CHECK_FALSE(holds(text, "JVBER"));
  CHECK(holds(text, "Subject: inner\n\nForwarded words"));
  CHECK_FALSE(holds(text, "preamble"));
  CHECK_FALSE(holds(text, "epilogue"));
  CHECK(mail.extracted.note == "1 attachment not read");
}

TEST_CASE("a page as the only text is read as a page, from base64 and its character set") {
  const Mail mail = read(
      "Subject: s\nContent-Type: text/html; charset=koi8-r\nContent-Transfer-Encoding: "
      "base64\n\nPHA+8NLJ18XUPC9wPg==\n",
      FileKind::eml);
  CHECK(holds(mail.documents.at(0).text, "Привет"));
}

TEST_CASE("each message of a mailbox is a record with its Message-ID or its number") {
  const Mail mail = read(
      "From a@x Tue Mar  3 10:00:00 2026\nMessage-ID: <one@x>\nSubject: First\n\nAlpha\n>From here on\n\n"
      "From b@x Tue Mar  3 11:00:00 2026\nSubject: Second\n\nBeta\nFrom the middle of a paragraph\n\n"
      "From c@x Tue Mar  3 12:00:00 2026\nno header at all\n",
      FileKind::mbox);
  REQUIRE(mail.documents.size() == 2);
  CHECK(mail.documents[0].external_id == "one@x");
  CHECK(holds(mail.documents[0].text, "Alpha\nFrom here on"));
  CHECK(mail.documents[0].is_record);
  CHECK(mail.documents[1].external_id == "2");
  CHECK(mail.documents[1].line == 8);
  CHECK(holds(mail.documents[1].text, "Beta\nFrom the middle"));
  CHECK(mail.extracted.skipped_records == "1 record: not an e-mail: no header (first: line 14)");
}

TEST_CASE("what is no e-mail is said to be none") {
  CHECK(testing::error_of([] { read("just a text\nof lines\n", FileKind::eml); })->message() ==
        "not an e-mail: it does not begin with a header");
  CHECK(testing::error_of([] { read("Subject: s\n\nx\n", FileKind::mbox); })->message() ==
        "not a mailbox: its first line does not begin with 'From '");
}

TEST_CASE("a mailbox streams: its size does not matter, its longest message does") {
  const std::string message = "From a@x Tue Mar  3 10:00:00 2026\nSubject: Hello\n\nA short text.\n\n--\n" +
                              std::string((4 << 20) - 200, 'Q') + "\n\n";
  constexpr int64_t kMessages = 24;  // 100 MB
  EndlessMailbox mailbox(message, kMessages);
  std::istream input(&mailbox);
  Budget budget(uint64_t(16) << 20);
  ExtractOptions options;
  options.budget = budget;
  options.max_record_bytes = 64 << 10;
  int64_t records = 0;
  const Extracted extracted = extract(input, FileKind::mbox, "all.mbox", options, [&](const Document& document) {
    ++records;
    if (!holds(document.text, "A short text.")) FAIL("the text is lost");
  });
  CHECK(records == kMessages);
  CHECK(budget.peak_bytes() < uint64_t(4) << 20);
  CHECK(holds(extracted.skipped_records, "24 records: longer than the limit, its end is left out"));
}

TEST_CASE("a message that is cut in an attachment loses nothing that is read") {
  ExtractOptions options;
  options.max_record_bytes = 2000;
  const Mail mail = read(
      "From a@x Tue\nSubject: s\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nThe text\n--b\n"
      "Content-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64\n\n" +
          std::string(5000, 'A') + "\n--b--\n\nFrom a@x Wed\nSubject: t\n\nNext\n",
      FileKind::mbox, options);
  REQUIRE(mail.documents.size() == 2);
  CHECK(holds(mail.documents[0].text, "The text\n\nAttachment: a.png"));
  CHECK(mail.extracted.skipped_records.empty());
}

TEST_CASE("hostile mail: parts in parts without end, many parts, no boundary, NULs") {
  std::string deep = "Subject: s\n";
  for (int i = 0; i < 5000; ++i)
    deep += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\n\n--b" + std::to_string(i) + "\n";
  CHECK(holds(read(deep + "\ninnermost\n", FileKind::eml).documents.at(0).text, "Subject: s"));
  std::string many = "Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n";
  for (int i = 0; i < 100'000; ++i) many += "--b\n\nx\n";
  CHECK(read(many, FileKind::eml).documents.at(0).text.size() < 10'000);
  CHECK(
      holds(read("Subject: s\nContent-Type: multipart/mixed\n\nplain\n", FileKind::eml).documents.at(0).text, "plain"));
  CHECK(holds(read(std::string("Subject: s\n\na\0b\n", 16), FileKind::eml).documents.at(0).text, "ab"));
  CHECK(holds(read("Subject: =?utf-8?Q?=?= =?x?y?z?=\n\nbody =?\n", FileKind::eml).documents.at(0).text, "body"));
}

TEST_CASE("a page that cannot be read costs its message nothing else") {
  std::string page;
  for (int i = 0; i < 3000; ++i) page += "<div>";
  const Mail mail =
      read("From a@x\nSubject: s\nContent-Type: text/html\n\n" + page + "\n\nFrom b@x\nSubject: t\n\nNext\n",
           FileKind::mbox);
  REQUIRE(mail.documents.size() == 2);
  CHECK(holds(mail.documents[0].text, "a page that cannot be read"));
}

TEST_CASE("encoded words") {
  CHECK(decode_words("=?utf-8?B?Y2Fm?= =?utf-8?B?w6k=?=") == "café");
  CHECK(decode_words("=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?= noir") == "café noir");
  CHECK(decode_words("a =?us-ascii?q?b_c?= d") == "a b c d");
  CHECK(decode_words("=?unknown-8?q?=E9?=") == "é");
  CHECK(decode_words("caf\xE9") == "café");
  CHECK(decode_words("=?utf-8?Q?open") == "=?utf-8?Q?open");
}
