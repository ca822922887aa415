// Image files in an index. They are decoded by frugal-extract, from pictures that Pillow wrote.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/base64.h"
#include "base/error.h"
#include "base/file.h"
#include "model/nn/image_embedder.h"
#include "rag/index/two_files.h"
#include "support/errors.h"

using namespace frugal;
using namespace frugal::testing;

namespace fs = std::filesystem;

namespace {

const fs::path kImages = fs::path(FRUGAL_SOURCE_DIR) / "tests/golden/vision/images";

std::string base64(const std::string& bytes) {
  std::string out;
  append_base64(out, bytes);
  return out;
}

/// A grid of mean colours, of unit length. With stop_after it throws when that many are exceeded, like a kill.
class FakeImageEmbedder : public ImageEmbedder {
 public:
  static constexpr int64_t kSide = 4;
  int64_t dimension() const override { return kSide * kSide * kRgbChannels; }
  int64_t max_tokens() const override { return 77; }
  int64_t image_tokens() const override { return 1; }
  const Tokenizer& tokenizer() const override { throw Error(Code::internal, "the fake has no tokenizer"); }
  std::string fingerprint() const override { return name; }
  void embed_texts(std::span<const std::string_view>, std::span<float>) override {}
  void embed_images(std::span<const RgbImage> pictures, Budget&, std::span<float> out) override {
    if (stop_after >= 0 && images + static_cast<int>(pictures.size()) > stop_after) throw Error(Code::io, "killed");
    images += static_cast<int>(pictures.size());
    for (size_t i = 0; i < pictures.size(); ++i)
      embed(pictures[i], out.subspan(i * static_cast<size_t>(dimension()), static_cast<size_t>(dimension())));
  }
  std::string name = "grid";
  int images = 0;
  int stop_after = -1;

 private:
  static void embed(const RgbImage& image, std::span<float> out) {
    std::fill(out.begin(), out.end(), 0.01f);
    for (int64_t y = 0; y < image.height(); ++y)
      for (int64_t x = 0; x < image.width(); ++x)
        for (int64_t c = 0; c < kRgbChannels; ++c) {
          const int64_t cell = y * kSide / image.height() * kSide + x * kSide / image.width();
          const float share = 1 / static_cast<float>(image.width() * image.height());
          out[static_cast<size_t>(cell * kRgbChannels + c)] +=
              share * static_cast<float>(image.row(y)[x * kRgbChannels + c]);
        }
    float squares = 0;
    for (const float value : out) squares += value * value;
    for (float& value : out) value /= std::sqrt(squares);
  }
};

struct Pictures : TempFolder {
  Pictures() {
    write_file(*this / "docs/penguins.txt", "Penguins swim in cold oceans and eat fish.");
    copy("rgb.png", "red_car-2019.png");
    copy("cmyk.jpg", "print.JPG");
    copy("lossy.webp", "sub/photo.webp");
    copy("quantised.gif", "old.gif");
  }
  void copy(const std::string& from, const std::string& to) const {
    fs::create_directories((*this / "docs" / to).parent_path());
    fs::copy_file(kImages / from, *this / "docs" / to, fs::copy_options::overwrite_existing);
  }
  IndexReport add(FakeImageEmbedder* images, bool re_embed = false, Embedder* texts = nullptr) const {
    IndexOptions options = options_with(texts);
    options.image_embedder = images;
    options.image_embedder_name = "clip.pack";
    options.re_embed = re_embed;
    return IndexWriter(*this / "index", options).add({(*this / "docs").native()});
  }
  std::vector<ScoredImage> all_images() const {
    const auto store = open_store(*this / "index", Budget::unlimited());
    return store->search_images(std::vector<float>(48, 0.1f), 100);
  }
};

}  // namespace

TEST_CASE_FIXTURE(Pictures, "images are indexed beside texts, with titles from their names, and not as chunks") {
  FakeImageEmbedder images;
  CountingEmbedder texts;
  const IndexReport report = add(&images, false, &texts);
  CHECK(report.files_added == 5);
  CHECK(report.images == 4);
  CHECK(report.images_embedded == 4);
  CHECK(report.chunks == 1);
  CHECK(texts.texts == 1);
  CHECK(report.skipped.empty());
  CHECK(is_clean(*this));
  std::vector<std::string> titles;
  for (const ScoredImage& hit : all_images()) titles.push_back(hit.image.title);
  std::sort(titles.begin(), titles.end());
  CHECK(titles == std::vector<std::string>{"old", "photo", "print", "red car 2019"});
  CHECK(found(*this, "red car photo print").empty());
  const IndexStatus status = read_status(*this / "index");
  CHECK(status.info.images == 4);
  CHECK(status.image_embedder_fingerprint == "grid");
  CHECK(status.image_embedder_name == "clip.pack");
}

TEST_CASE_FIXTURE(Pictures, "without an image embedder images are ignored, as files of an unknown kind") {
  const IndexReport report = add(nullptr);
  CHECK(report.files_added == 1);
  CHECK(report.files_ignored == 4);
  CHECK(report.ignored.at(".jpg") == 1);
  CHECK(report.images == 0);
  IndexOptions options = options_with(nullptr);
  const IndexReport named = IndexWriter(*this / "index", options).add({(*this / "docs/old.gif").native()});
  CHECK(named.skipped.size() == 1);
  CHECK(is_clean(*this));
}

TEST_CASE_FIXTURE(Pictures,
                  "a second run embeds nothing, a changed image alone is embedded, a copy and a new name never") {
  FakeImageEmbedder images;
  const uint64_t first = add(&images).generation;
  CHECK(add(&images).generation == first);
  CHECK(images.images == 4);
  copy("rgba.png", "old.gif");  // recognised by its bytes, not by its name
  CHECK(add(&images).images_embedded == 1);
  copy("rgb.png", "copy.png");
  fs::rename(*this / "docs/print.JPG", *this / "docs/renamed.jpg");
  const IndexReport moved = add(&images);
  CHECK(moved.images_embedded == 0);
  CHECK(moved.images == 5);
  CHECK(images.images == 5);
  fs::remove(*this / "docs/copy.png");
  CHECK(add(&images).images == 4);
  CHECK(is_clean(*this));
}

TEST_CASE_FIXTURE(Pictures, "a run without an image embedder leaves unchanged images as they are") {
  FakeImageEmbedder images;
  add(&images);
  const IndexReport without = add(nullptr);
  CHECK(without.images == 4);
  CHECK(without.files_unchanged == 5);
  copy("rgba.png", "old.gif");
  CHECK(add(nullptr).images == 3);  // of the changed one there is no vector
  CHECK(add(&images).images == 4);
  CHECK(images.images == 5);
}

TEST_CASE_FIXTURE(Pictures, "broken images are skipped with a reason, and the others are indexed") {
  const std::string jpeg = read_file(kImages / "cmyk.jpg", 1 << 20);
  write_file(*this / "docs/cut.jpg", jpeg.substr(0, 200));
  write_file(*this / "docs/empty.png", "");
  write_file(*this / "docs/text.png", "not an image");
  std::string huge = read_file(kImages / "rgb.png", 1 << 20);
  huge.replace(16, 8, std::string("\x7f\xff\xff\xff\x7f\xff\xff\xff"));
  write_file(*this / "docs/bomb.png", huge);
  huge.replace(16, 8, std::string(8, '\0'));
  write_file(*this / "docs/none.png", huge);
  FakeImageEmbedder images;
  const IndexReport report = add(&images);
  CHECK(report.images == 4);
  CHECK(report.skipped.size() == 5);
  for (const SkippedFile& file : report.skipped) CHECK_MESSAGE(!file.reason.empty(), file.path);
  CHECK(is_clean(*this));
  CHECK(add(&images).skipped.size() == 5);
  CHECK(images.images == 4);
}

TEST_CASE_FIXTURE(Pictures, "a run that is killed is continued by the next one, without embedding an image again") {
  for (int i = 0; i < 80; ++i) {
    // A comment behind the end of the image makes another file of the same pixels.
    write_file(*this / ("docs/many/" + std::to_string(i) + ".png"),
               read_file(kImages / "rgb.png", 1 << 20) + std::to_string(i));
  }
  FakeImageEmbedder images;
  images.stop_after = 50;
  CHECK_THROWS_AS(add(&images), Error);
  images.stop_after = -1;
  const IndexReport rest = add(&images);
  CHECK(rest.images == 84);
  CHECK(rest.images_embedded == 84 - 32);  // one batch was committed
  CHECK(is_clean(*this));
}

TEST_CASE_FIXTURE(Pictures, "figures belong to their documents, and their page is that of the PDF") {
  const fs::path figures = fs::path(FRUGAL_SOURCE_DIR) / "tests/golden/vision/figures";
  fs::copy_file(figures / "packed.pdf", *this / "docs/packed.pdf");
  write_file(*this / "docs/page.html",
             "<title>A page</title><p>Words.<img src='data:image/jpeg;base64," +
                 base64(read_file(figures / "hill.jpg", 1 << 20)) + "'><img src=\"data:image/png;base64," +
                 base64(read_file(kImages / "rgba.png", 1 << 20)) + "\"><img src=data:image/png;base64,AAAA>");
  FakeImageEmbedder images;
  const IndexReport report = add(&images);
  CHECK(report.images == 4 + 2 + 1);
  CHECK(report.notes.size() == 2);
  const auto all = all_images();
  const auto of = [&](std::string_view name) {
    return std::count_if(all.begin(), all.end(),
                         [&](const ScoredImage& hit) { return hit.image.path.ends_with(name); });
  };
  CHECK(of("packed.pdf") == 2);
  CHECK(of("page.html") == 1);
  for (const ScoredImage& hit : all)
    if (hit.image.path.ends_with("packed.pdf")) CHECK(hit.image.page == hit.image.number + 1);
  CHECK(is_clean(*this));
  CHECK(check_index(*this / "index").stale.empty());
  CHECK(add(&images).images_embedded == 0);
  CHECK(add(nullptr).images == 7);
}

TEST_CASE_FIXTURE(Pictures, "another image embedder is refused, unless all images are embedded again") {
  FakeImageEmbedder images, other;
  other.name = "other";
  add(&images);
  const auto error = error_of([&] { add(&other); });
  REQUIRE(error);
  CHECK(error->code() == Code::mismatch);
  CHECK(error->hint().find("--image-embedder") != std::string::npos);
  CHECK(add(&other, true).images == 4);
  CHECK(other.images == 4);
  CHECK(add(&other, true).images == 4);
  CHECK(other.images == 8);
  CHECK(is_clean(*this));
}

TEST_CASE_FIXTURE(Pictures, "captions are found as texts that say that they were generated, and are written once") {
  FakeImageEmbedder images;
  CountingEmbedder texts;
  int written = 0;
  IndexOptions options = options_with(&texts);
  options.image_embedder = &images;
  options.captioner = "fake";
  options.caption = [&](const RgbImage& image) {
    ++written;
    return "zebra " + std::to_string(image.width());
  };
  const auto run = [&] { return IndexWriter(*this / "index", options).add({(*this / "docs").native()}); };
  const IndexReport report = run();
  CHECK(report.captions_written == 4);
  CHECK(report.chunks == 5);
  CHECK(report.images == 4);
  CHECK(is_clean(*this));
  const auto zebras = [&](const std::string& question) {
    const auto store = open_store(*this / "index", Budget::unlimited());
    std::vector<int64_t> ids;
    for (const ScoredChunk& hit : store->search_sparse({question, Language::unknown}, 10)) ids.push_back(hit.id);
    return store->fetch(ids);
  };
  const std::vector<Chunk> found = zebras("zebra 45");  // the width of rgb.png
  REQUIRE(found.size() == 4);
  CHECK(found[0].text == "zebra 45");
  CHECK(found[0].title == "red car 2019");
  CHECK(found[0].heading == "generated caption");
  CHECK(found[0].path.ends_with("red_car-2019.png"));
  for (const Chunk& chunk : found) CHECK(chunk.generated);
  CHECK_FALSE(zebras("penguins").at(0).generated);
  CHECK(all_images().at(0).image.caption.starts_with("zebra "));

  CHECK(run().captions_written == 0);
  copy("rgb.png", "copy.png");
  CHECK(run().captions_written == 0);
  CHECK(zebras("zebra 45").size() == 5);
  CHECK(add(&images).chunks == 6);  // a run without a captioner leaves them
  fs::remove(*this / "docs/copy.png");
  CHECK(add(&images).chunks == 5);
  options.captioner = "another";
  CHECK(run().captions_written == 4);
  CHECK(written == 8);
  CHECK(images.images == 4);
  CHECK(is_clean(*this));
}

TEST_CASE_FIXTURE(Pictures, "the check finds a vector of an image that was changed") {
  FakeImageEmbedder images;
  add(&images);
  const fs::path file = *this / "index/images-1.i8";
  std::string bytes = read_file(file, 1 << 20);
  bytes[64] = static_cast<char>(bytes[64] ^ 1);
  write_file(file, bytes);
  CHECK(check_index(*this / "index").problems.at(0) == "images: row 0 fails its checksum");
}

TEST_CASE_FIXTURE(Pictures, "image vectors whose file was deleted are computed again") {
  FakeImageEmbedder images;
  add(&images);
  fs::remove(*this / "index/images-1.i8");
  CHECK(add(&images).images == 4);
  CHECK(images.images == 8);
  CHECK(is_clean(*this));
}
