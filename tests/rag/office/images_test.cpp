// Images that frugal-extract decodes: image files, and the figures of PDF and office files. The pictures were written
// by Pillow (scripts/make_image_goldens.py).
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "model/codec/image_codec.h"
#include "rag/extract/extract.h"
#include "rag/extract/extraction_child.h"
#include "rag/office/figures.h"
#include "rag/office/office_files.h"
#include "support/errors.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr uint64_t kMaxPixels = 1 << 20;

std::string golden(const std::string& name) {
  return read_file(std::filesystem::path(FRUGAL_SOURCE_DIR) / "tests/golden/vision" / name, 1 << 20);
}
std::string picture(const std::string& name) {
  return golden("images/" + name);
}
std::string figure(const std::string& name) {
  return golden("figures/" + name);
}

std::vector<ExtractionChild::Image> images_of(ExtractionChild& child, FileKind kind, const std::string& bytes,
                                              uint64_t max_pixels = kMaxPixels) {
  child.read(
      kind, bytes, Budget::unlimited(), [](uint64_t) {}, max_pixels);
  std::vector<ExtractionChild::Image> images;
  while (auto image = child.next_image(Budget::unlimited())) images.push_back(std::move(*image));
  return images;
}

bool same_pixels(const RgbImage& a, const RgbImage& b) {
  return a.width() == b.width() && a.height() == b.height() &&
         std::equal(a.pixels().begin(), a.pixels().end(), b.pixels().begin(), b.pixels().end());
}

RgbImage decoded(const std::string& bytes) {
  return decode_image(std::as_bytes(std::span(bytes)), DecodeLimits(), Budget::unlimited());
}

std::string stream(const std::string& dictionary, const std::string& bytes) {
  return "<<" + dictionary + "/Length " + std::to_string(bytes.size()) + ">>\nstream\n" + bytes + "\nendstream";
}

std::string image_object(const std::string& jpeg, const std::string& filter = "/DCTDecode") {
  return stream("/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceRGB/Filter" + filter,
                jpeg);
}

/// A PDF whose second page draws image 8 and, through form 9, image 10; with_text: the first page has a line.
std::string pdf_with_figures(const std::string& first, const std::string& second, bool with_text) {
  return pdf_of_objects(
      {"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 2/Kids[3 0 R 5 0 R]/Resources<</Font<</F 7 0 R>>>>>>",
       "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R>>",
       pdf_stream(with_text ? pdf_lines({"A line."}) : "0 0 m"),
       "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources 11 0 R/Contents 6 0 R>>", pdf_stream("/A Do /B Do"),
       "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>", image_object(first),
       stream("/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</C 10 0 R/Self 9 0 R>>>>", "/C Do"),
       image_object(second, "[/DCTDecode]"), "<</XObject<</A 8 0 R/B 9 0 R>>>>"});
}

// "~>" at the end, and a line break after every 60 characters.
std::string ascii85_of(std::string_view bytes) {
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 4) {
    const size_t count = std::min<size_t>(4, bytes.size() - at);
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | (i < count ? static_cast<uint8_t>(bytes[at + i]) : 0);
    std::array<char, 5> digits{};
    for (size_t i = 5; i-- > 0; value /= 85) digits[i] = static_cast<char>('!' + value % 85);
    text.append(digits.data(), count + 1);
    if (at % 48 == 44) text += '\n';
  }
  return text + "~>";
}

}  // namespace

TEST_CASE("an image file is decoded to the pixels that the decoder gives in this process") {
  ExtractionChild child;
  for (const char* name : {"rgb.png", "cmyk.jpg", "lossy.webp", "quantised.gif", "orientation-6.jpg"}) {
    CAPTURE(name);
    const auto images = images_of(child, FileKind::image, picture(name));
    REQUIRE(images.size() == 1);
    CHECK(images[0].page == 0);
    CHECK(same_pixels(images[0].pixels, decoded(picture(name))));
  }
}

TEST_CASE("an image with more pixels than are asked for is made smaller, in proportion") {
  ExtractionChild child;
  const RgbImage whole = decoded(picture("large-rgb.png"));
  for (const uint64_t max_pixels : {uint64_t{1}, uint64_t{7}, uint64_t{500}, uint64_t{5000}}) {
    const auto images = images_of(child, FileKind::image, picture("large-rgb.png"), max_pixels);
    REQUIRE(images.size() == 1);
    const RgbImage& image = images[0].pixels;
    CHECK(static_cast<uint64_t>(image.width() * image.height()) <= max_pixels);
    if (max_pixels >= 500)
      CHECK(double(image.width()) / double(image.height()) ==
            doctest::Approx(double(whole.width()) / double(whole.height())).epsilon(0.1));
  }
}

TEST_CASE("a broken image fails with its reason, and the next one is read") {
  ExtractionChild child;
  const std::string jpeg = picture("rgb-444.jpg");
  for (const std::string& bytes : {std::string(), std::string("text"), jpeg.substr(0, 100), jpeg.substr(0, 3)}) {
    const auto error = error_of([&] { images_of(child, FileKind::image, bytes); });
    REQUIRE(error);
    CHECK(error->code() == Code::bad_input);
    CHECK(error->message().find(bytes.starts_with("\xff") ? "JPEG" : "image: signature") != std::string::npos);
  }
  CHECK(images_of(child, FileKind::image, jpeg).size() == 1);
}

TEST_CASE("images that are not taken do not come with the next file") {
  ExtractionChild child;
  child.read(
      FileKind::image, picture("rgb.png"), Budget::unlimited(), [](uint64_t) {}, kMaxPixels);
  const auto next = images_of(child, FileKind::image, picture("cmyk.jpg"));
  REQUIRE(next.size() == 1);
  CHECK(same_pixels(next[0].pixels, decoded(picture("cmyk.jpg"))));
  CHECK_FALSE(child.next_image(Budget::unlimited()));
}

TEST_CASE("the figures of a PDF have their pages, also below the forms that a page draws") {
  ExtractionChild child;
  const std::string lake = figure("lake.jpg"), hill = figure("hill.jpg");
  const auto images = images_of(child, FileKind::pdf, pdf_with_figures(lake, hill, true));
  REQUIRE(images.size() == 2);
  CHECK(images[0].page == 2);
  CHECK(same_pixels(images[0].pixels, decoded(lake)));
  CHECK(images[1].page == 2);
  CHECK(same_pixels(images[1].pixels, decoded(hill)));
  CHECK(child.read(FileKind::pdf, pdf_with_figures(lake, hill, true), Budget::unlimited(), [](uint64_t) {})
            .document.text == "A line.");
}

TEST_CASE("a PDF without text is read for its figures, and refused if it has none") {
  ExtractionChild child;
  const std::string scan = pdf_with_figures(figure("lake.jpg"), figure("lake.jpg"), false);
  const auto reply = child.read(
      FileKind::pdf, scan, Budget::unlimited(), [](uint64_t) {}, kMaxPixels);
  CHECK(reply.document.text.empty());
  CHECK(reply.note.find("no text in its 2 pages") != std::string::npos);
  CHECK(child.next_image(Budget::unlimited()));
  CHECK(error_of([&] { child.read(FileKind::pdf, scan, Budget::unlimited(), [](uint64_t) {}); }));
  const std::string icons = pdf_with_figures(picture("rgb-444.jpg"), "no JPEG", false);
  CHECK(error_of([&] { images_of(child, FileKind::pdf, icons); }));
}

TEST_CASE("figures that cannot be decoded, and icons, are left out, and the text stays") {
  ExtractionChild child;
  const std::string pdf = pdf_with_figures(figure("lake.jpg").substr(0, 300), picture("rgb-444.jpg"), true);
  CHECK(child
            .read(
                FileKind::pdf, pdf, Budget::unlimited(), [](uint64_t) {}, kMaxPixels)
            .document.text == "A line.");
  CHECK_FALSE(child.next_image(Budget::unlimited()));
}

TEST_CASE("a PDF whose objects refer to one another in circles has its figures once") {
  ExtractionChild child;
  const std::string pdf =
      pdf_of_objects({"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 1/Kids[3 0 R 2 0 R 3 0 R 77 0 R]>>",
                      "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</XObject<</A 5 0 R/B 5 0 R/C 6 0 "
                      "R>>>>/Contents 4 0 R>>",
                      pdf_stream("/A Do"), image_object(figure("lake.jpg")),
                      stream("/Subtype/Form/Resources<</XObject<</D 6 0 R/E 5 0 R>>>>", "/D Do")});
  CHECK(images_of(child, FileKind::pdf, pdf).size() == 1);
}

TEST_CASE("a page tree and images that are compressed, with and without filters of their rows") {
  ExtractionChild child;
  const std::string packed = golden("figures/packed.pdf"), samples = golden("figures/samples.pdf");
  const auto of_packed = images_of(child, FileKind::pdf, packed);
  REQUIRE(of_packed.size() == 2);
  CHECK(of_packed[0].page == 2);
  CHECK(of_packed[1].page == 3);
  CHECK(same_pixels(of_packed[0].pixels, decoded(figure("lake.jpg"))));
  const auto of_samples = images_of(child, FileKind::pdf, samples);
  REQUIRE(of_samples.size() == 3);
  for (const ExtractionChild::Image& image : of_samples) CHECK(image.page == 1);
  CHECK(same_pixels(of_samples[0].pixels, decoded(figure("lake.png"))));
  CHECK(same_pixels(of_samples[1].pixels, decoded(figure("lake.png"))));
  CHECK(of_samples[2].pixels.width() == 80);  // grey
}

TEST_CASE("an image whose stream is written in letters, as ReportLab writes it") {
  const std::string jpeg = golden("figures/lake.jpg");
  const auto images_in = [](const std::string& filter, const std::string& stream) {
    const std::string pdf =
        "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n2 0 obj <</Type/Pages/Kids[3 0 R]>> endobj\n"
        "3 0 obj <</Type/Page/Resources<</XObject<</Im 4 0 R>>>>>> endobj\n4 0 obj <</Subtype/Image/Filter " +
        filter + ">> stream\n" + stream + "\nendstream endobj\n";
    std::vector<std::string> images;
    find_figures(FileKind::pdf, pdf, [&](std::string_view image, int64_t page) {
      CHECK(page == 1);
      images.emplace_back(image);
      return true;
    });
    return images;
  };
  const std::string letters = ascii85_of(jpeg);
  CHECK(images_in("[ /ASCII85Decode /DCTDecode ]", letters) == std::vector{jpeg});
  CHECK(images_in("[/ASCII85Decode/ASCII85Decode/DCTDecode]", ascii85_of(letters)) == std::vector{jpeg});
  CHECK(images_in("[/ASCII85Decode /JPXDecode]", letters).empty());
  CHECK(images_in("[/LZWDecode /DCTDecode]", letters).empty());
  CHECK(images_in("[/ASCII85Decode /DCTDecode", letters.substr(0, 50) + "\x80").empty());
  std::string many = "[";
  for (int i = 0; i < 100; ++i) many += "/FlateDecode";
  CHECK(images_in(many + "]", letters).empty());
}

TEST_CASE("a PDF that is damaged anywhere gives what it gives, and ends") {
  std::mt19937 random(7);
  for (const char* name : {"packed.pdf", "samples.pdf"}) {
    const std::string whole = golden(std::string("figures/") + name);
    for (int i = 0; i < 300; ++i) {
      std::string damaged = whole.substr(0, i % 3 == 0 ? random() % whole.size() : whole.size());
      for (int change = 0; change < 8 && !damaged.empty(); ++change)
        damaged[random() % damaged.size()] = "0<>[]/R \xff"[random() % 9];
      int64_t count = 0;
      find_figures(FileKind::pdf, damaged, [&](std::string_view, int64_t) { return ++count < 10; });
      CHECK(count <= 10);
    }
  }
}

TEST_CASE("the pictures of an office file are its figures, without pages") {
  ExtractionChild child;
  const std::string docx = zip_of({{"word/document.xml",
                                    "<w:document xmlns:w='w'><w:body><w:p><w:r><w:t>A line.</w:t></w:r></w:p></w:body>"
                                    "</w:document>"},
                                   {"word/media/image10.jpg", figure("hill.jpg")},
                                   {"word/media/image2.JPG", figure("lake.jpg")},
                                   {"word/media/image3.png", "damaged"},
                                   {"word/media/image4.png", picture("rgb.png")},
                                   {"thumbnail.jpg", figure("lake.jpg")}});
  const auto images = images_of(child, FileKind::docx, docx);
  REQUIRE(images.size() == 2);
  CHECK(same_pixels(images[0].pixels, decoded(figure("lake.jpg"))));
  CHECK(same_pixels(images[1].pixels, decoded(figure("hill.jpg"))));
  CHECK(images[0].page == 0);
}
