// The readers of PDF and office files, called directly: their text, and what they refuse.
#include "rag/office/office.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "rag/office/office_files.h"
#include "support/errors.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr uint64_t kMaxText = 1 << 20;

std::string message_of(FileKind kind, const std::string& bytes, uint64_t max_text_bytes = kMaxText) {
  const auto error = error_of([&] {
    const OfficeText text = read_office(kind, bytes, max_text_bytes);
    if (!text.no_text.empty()) throw without_text(kind, text);
  });
  return error ? error->message() : "read";
}

std::string docx(const std::string& body, Entries more = {}) {
  Entries entries = {{"[Content_Types].xml", "<Types/>"},
                     {"word/document.xml", "<w:document xmlns:w=\"w\"><w:body>" + body + "</w:body></w:document>"}};
  entries.insert(entries.end(), more.begin(), more.end());
  return zip_of(entries);
}
std::string p(const std::string& text, const std::string& properties = "") {
  return "<w:p><w:pPr>" + properties + "</w:pPr><w:r><w:t>" + text + "</w:t></w:r></w:p>";
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a PDF has pages, and its text is in reading order") {
  const OfficeText text = read_office(
      FileKind::pdf, pdf_of({pdf_lines({"The first page has", "a few words."}), pdf_lines({"The second one ends."})}),
      kMaxText);
  CHECK(text.first_page == 1);
  CHECK(text.text == "The first page has\na few words.\n\n\fThe second one ends.");
  CHECK(text.note.empty());
}

TEST_CASE("two columns are read one after the other") {
  std::vector<std::string> left, right;
  for (int i = 0; i < 30; ++i) {
    left.push_back("left column words of line " + std::to_string(i));
    right.push_back("right column words of line " + std::to_string(i));
  }
  // A program may write the columns line by line.
  std::string content;
  for (int i = 0; i < 30; ++i)
    content += pdf_lines({left[static_cast<size_t>(i)]}, 50, 750 - 12 * i) +
               pdf_lines({right[static_cast<size_t>(i)]}, 320, 750 - 12 * i);
  const std::string text = read_office(FileKind::pdf, pdf_of({content}), kMaxText).text;
  CHECK(text.find("left column words of line 29") < text.find("right column words of line 0"));
}

TEST_CASE("a PDF without text is a scan, and pages without text are counted") {
  CHECK(message_of(FileKind::pdf, pdf_of({"0 0 m 100 100 l S", "0 0 m 50 50 l S"})) ==
        "pdf: no text in its 2 pages: a scan? add the text first, for example with ocrmypdf");
  CHECK(read_office(FileKind::pdf, pdf_of({pdf_lines({"Words."}), "0 0 m 100 100 l S"}), kMaxText).note ==
        "1 of 2 pages have no text");
}

TEST_CASE("encrypted, truncated and damaged PDFs are refused with a word") {
  const std::string whole = pdf_of({pdf_lines({"Some words."})});
  const std::string encrypted =
      pdf_of({pdf_lines({"Some words."})},
             "/ID[<00112233445566778899AABBCCDDEEFF><00112233445566778899AABBCCDDEEFF>]/Encrypt 6 0 R",
             {"<</Filter/Standard/V 1/R 2/P -4/O<" + std::string(64, '1') + ">/U<" + std::string(64, '2') + ">>>"});
  CHECK(holds(message_of(FileKind::pdf, encrypted), "encrypted"));
  CHECK(message_of(FileKind::pdf, "%PDF-1.4\n") == "pdf: damaged: it cannot be opened");
  CHECK(message_of(FileKind::pdf, "") == "pdf: empty");
  for (size_t bytes = 1; bytes < whole.size(); bytes += 7) message_of(FileKind::pdf, whole.substr(0, bytes));
  std::string damaged = whole;
  for (size_t i = 20; i < damaged.size(); i += 11) {
    damaged[i] = static_cast<char>(damaged[i] ^ 0x15);
    message_of(FileKind::pdf, damaged);
  }
}

TEST_CASE("a text beyond the limit is refused") {
  const std::vector<std::string> lines(50, "A line of more than a few words.");
  CHECK(message_of(FileKind::pdf, pdf_of({pdf_lines(lines)}), 1000) ==
        "pdf: its text is larger than 1000 B: split the file");
  CHECK(holds(message_of(FileKind::docx, docx(p(std::string(5000, 'x'))), 1000), "larger than"));
}

TEST_CASE("a file of another kind than its name says is called so") {
  CHECK(message_of(FileKind::docx, pdf_of({pdf_lines({"Words."})})) == "docx: the file is a PDF");
  CHECK(message_of(FileKind::pdf, docx(p("Words."))) == "pdf: the file is a ZIP archive");
  CHECK(message_of(FileKind::pdf, "Just text.\n") == "pdf: the file is text");
  CHECK(message_of(FileKind::xlsx, docx(p("Words."))) == "xlsx: the archive has no 'xl/workbook.xml'");
  CHECK(message_of(FileKind::docx, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 rest") ==
        "docx: the file is an encrypted office file, or one of Office 97");
}

TEST_CASE("a DOCX: headings, lists, tables, boxes, notes; no deleted text") {
  const std::string bytes = docx(
      p("Contract", "<w:pStyle w:val=\"T1\"/>") + p("Part two", "<w:outlineLvl w:val=\"1\"/>") +
          p("first", "<w:numPr/>") + p("second", "<w:numPr/>") +
          "<w:p><w:r><w:t>kept</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
          "<w:r><w:tab/><w:t xml:space=\"preserve\"> on</w:t><w:br/><w:t>next &amp; last</w:t></w:r></w:p>"
          "<w:tbl><w:tr><w:tc>" +
          p("Name") + "</w:tc><w:tc>" + p("Age") + "</w:tc></w:tr><w:tr><w:tc>" + p("Ana") + "</w:tc><w:tc>" + p("41") +
          "</w:tc></w:tr></w:tbl>" + "<w:p><w:r><mc:AlternateContent xmlns:mc=\"m\"><mc:Choice><w:txbxContent>" +
          p("in a box") + "</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>" + p("in a box") +
          "</w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>",
      {{"word/styles.xml",
        "<w:styles xmlns:w=\"w\"><w:style w:type=\"paragraph\" w:styleId=\"T1\"><w:name w:val=\"heading "
        "1\"/></w:style></w:styles>"},
       {"word/footnotes.xml", "<w:footnotes xmlns:w=\"w\"><w:footnote>" + p("A note.") + "</w:footnote></w:footnotes>"},
       {"docProps/core.xml", "<c:p xmlns:c=\"c\" xmlns:dc=\"d\"><dc:title>The contract</dc:title></c:p>"}});
  const OfficeText text = read_office(FileKind::docx, bytes, kMaxText);
  CHECK(text.title == "The contract");
  CHECK(text.is_markdown);
  CHECK(text.first_page == 0);
  CHECK(text.text ==
        "# Contract\n\n## Part two\n\n- first\n- second\n\nkept\t on\nnext & last\n\nName\tAge\nAna\t41\n\nin a box\n\n"
        "A note.");
}

TEST_CASE("a presentation has a page for each slide, in the order of the show") {
  const auto slide = [](const std::string& title, const std::string& text) {
    return "<p:sld xmlns:p=\"p\" xmlns:a=\"a\"><p:cSld><p:spTree><p:sp><p:nvSpPr><p:nvPr><p:ph "
           "type=\"title\"/></p:nvPr>"
           "</p:nvSpPr><p:txBody><a:p><a:r><a:t>" +
           title +
           "</a:t></a:r></a:p></p:txBody></p:sp><p:sp><p:txBody>"
           "<a:p><a:r><a:t>" +
           text + "</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>";
  };
  const std::string bytes =
      zip_of({{"ppt/presentation.xml",
               "<p:presentation xmlns:p=\"p\" xmlns:r=\"r\"><p:sldIdLst><p:sldId r:id=\"b\"/><p:sldId "
               "r:id=\"a\"/></p:sldIdLst></p:presentation>"},
              {"ppt/_rels/presentation.xml.rels",
               "<Relationships><Relationship Id=\"a\" Type=\"t/slide\" Target=\"slides/slide1.xml\"/>"
               "<Relationship Id=\"b\" Type=\"t/slide\" Target=\"slides/slide2.xml\"/></Relationships>"},
              {"ppt/slides/slide1.xml", slide("Last", "the end")},
              {"ppt/slides/slide2.xml", slide("First", "the begin")}});
  const OfficeText text = read_office(FileKind::pptx, bytes, kMaxText);
  CHECK(text.text == "# First\n\nthe begin\n\n\f# Last\n\nthe end");
  CHECK(text.first_page == 1);
}

TEST_CASE("a sheet is its rows; dates and percentages are written as such") {
  const std::string bytes = zip_of(
      {{"xl/workbook.xml", "<workbook xmlns:r=\"r\"><sheets><sheet name=\"Sales\" r:id=\"s\"/></sheets></workbook>"},
       {"xl/_rels/workbook.xml.rels",
        "<Relationships><Relationship Id=\"s\" Type=\"t/worksheet\" "
        "Target=\"worksheets/sheet1.xml\"/></Relationships>"},
       {"xl/sharedStrings.xml", "<sst><si><t>Day</t></si><si><r><t>Sh</t></r><r><t>are</t></r></si></sst>"},
       {"xl/styles.xml",
        "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"[Red]yyyy\\-mm\\-dd&quot;h&quot;\"/></numFmts>"
        "<cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/><xf numFmtId=\"10\"/><xf "
        "numFmtId=\"20\"/></cellXfs></styleSheet>"},
       {"xl/worksheets/sheet1.xml",
        "<worksheet><sheetData><row><c t=\"s\"><v>0</v></c><c t=\"s\"><v>1</v></c><c "
        "t=\"inlineStr\"><is><t>Sum</t></is></c></row>"
        "<row><c s=\"1\"><v>46084</v></c><c s=\"2\"><v>0.125</v></c><c><v>0.30000000000000004</v></c><c "
        "s=\"3\"><v>0.5</v></c></row>"
        "<row><c t=\"s\"><v>99</v></c></row></sheetData></worksheet>"}});
  CHECK(read_office(FileKind::xlsx, bytes, kMaxText).text ==
        "# Sales\n\nDay\tShare\tSum\n2026-03-03\t12.5%\t0.3\t12:00:00");
}

TEST_CASE("OpenDocument: text, a sheet that is filled to its last column, slides") {
  const auto odf = [](const std::string& body) {
    return zip_of({{"mimetype", "application/vnd.oasis.opendocument"},
                   {"content.xml",
                    "<office:document-content xmlns:office=\"o\" xmlns:text=\"t\" xmlns:table=\"b\" xmlns:draw=\"d\">"
                    "<office:body>" +
                        body + "</office:body></office:document-content>"}});
  };
  CHECK(read_office(
            FileKind::odf,
            odf("<office:text><text:tracked-changes><text:p>old</text:p></text:tracked-changes>"
                "<text:h text:outline-level=\"2\">Head</text:h><text:p>one<text:s text:c=\"2\"/>two<text:note>"
                "<text:note-citation>1</text:note-citation><text:note-body><text:p>below</text:p></text:note-body>"
                "</text:note></text:p><text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>"
                "</office:text>"),
            kMaxText)
            .text == "## Head\n\none  two\n\nbelow\n\n- item");
  CHECK(
      read_office(
          FileKind::odf,
          odf("<office:spreadsheet><table:table table:name=\"S\"><table:table-row><table:table-cell><text:p>a</text:p>"
              "</table:table-cell><table:table-cell "
              "table:number-columns-repeated=\"2\"><text:p>b</text:p></table:table-cell>"
              "<table:table-cell table:number-columns-repeated=\"16000\"/></table:table-row><table:table-row "
              "table:number-rows-repeated=\"1048575\"><table:table-cell table:number-columns-repeated=\"16384\"/>"
              "</table:table-row></table:table></office:spreadsheet>"),
          kMaxText)
          .text == "# S\n\na\tb\tb");
  CHECK(
      read_office(FileKind::odf,
                  odf("<office:presentation><draw:page><text:p>one</text:p></draw:page><draw:page><text:p>two</text:p>"
                      "</draw:page></office:presentation>"),
                  kMaxText)
          .text == "one\n\n\ftwo");
}

TEST_CASE("an EPUB is read in the order of its spine") {
  const auto page = [](const std::string& text) {
    return "<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title/><script "
           "src=\"a.js\"/></head><body><h1>" +
           text + "</h1><p>Words of " + text + ".</p></body></html>";
  };
  const std::string bytes = zip_of(
      {{"mimetype", "application/epub+zip"},
       {"META-INF/container.xml",
        "<container><rootfiles><rootfile full-path=\"OEBPS/book.opf\"/></rootfiles></container>"},
       {"OEBPS/book.opf",
        "<package xmlns:dc=\"d\"><metadata><dc:title>A Book</dc:title></metadata><manifest>"
        "<item id=\"a\" href=\"text/a%20b.xhtml\" media-type=\"application/xhtml+xml\"/>"
        "<item id=\"c\" href=\"c.xhtml\" media-type=\"application/xhtml+xml\"/></manifest><spine><itemref idref=\"c\"/>"
        "<itemref idref=\"a\"/></spine></package>"},
       {"OEBPS/text/a b.xhtml", page("Two")},
       {"OEBPS/c.xhtml", page("One")}});
  const OfficeText text = read_office(FileKind::epub, bytes, kMaxText);
  CHECK(text.title == "A Book");
  CHECK(text.text == "# One\n\nWords of One.\n\n# Two\n\nWords of Two.");
}

TEST_CASE("bombs: elements without end, entities, archives that unpack to gigabytes") {
  std::string deep;
  for (int i = 0; i < 1'000'000; ++i) deep += "<w:x>";
  std::string ends;
  for (int i = 0; i < 1'000'000; ++i) ends += "</w:x>";
  CHECK(message_of(FileKind::docx, docx(deep + p("inside") + ends)) ==
        "docx: its elements are nested more than 512 deep");
  CHECK(holds(message_of(FileKind::docx, docx(deep)), "not well-formed"));

  const std::string entities =
      "<!DOCTYPE d [<!ENTITY a SYSTEM \"file:///etc/hostname\"><!ENTITY b \"&a;&a;\">]><d><w:p "
      "xmlns:w=\"w\"><w:t>x&a;&b;y</w:t></w:p></d>";
  const std::string text = read_office(FileKind::docx, zip_of({{"word/document.xml", entities}}), kMaxText).text;
  CHECK(text == "x&a;&b;y");

  const std::string zeros(200 << 20, ' ');
  CHECK(message_of(FileKind::docx, zip_of({{"word/document.xml", zeros}})) ==
        "docx: unpacks to more than 250 times its size, as a zip bomb");

  Entries many;
  for (int i = 0; i < 60'000; ++i) many.emplace_back("e" + std::to_string(i), "");
  CHECK(message_of(FileKind::docx, zip_of(many)) == "docx: an archive of more than 50000 files");
}

TEST_CASE("truncated and damaged archives are refused or read, and nothing else") {
  const std::string whole = docx(p("Some words of a letter."));
  for (size_t bytes = 1; bytes < whole.size(); bytes += 5) message_of(FileKind::docx, whole.substr(0, bytes));
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0xFF);
    message_of(FileKind::docx, damaged);
  }
}
