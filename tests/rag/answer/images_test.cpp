// Images beside the hits, and captions that no answer may quote.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "model/nn/image_embedder.h"
#include "rag/answer/pipeline.h"
#include "rag/fakes.h"
#include "rag/reply/render.h"
#include "rag/reply/reply_json.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

class FakeImageEmbedder : public ImageEmbedder {
 public:
  int64_t dimension() const override { return kFakeDimension; }
  int64_t max_tokens() const override { return 77; }
  int64_t image_tokens() const override { return 1; }
  const Tokenizer& tokenizer() const override { throw Error(Code::internal, "the fake has no tokenizer"); }
  std::string fingerprint() const override { return "clip"; }
  void embed_texts(std::span<const std::string_view> texts, std::span<float> out) override {
    const auto bag = bag_of_words(texts[0]);
    std::copy(bag.begin(), bag.end(), out.begin());
  }
  void embed_images(std::span<const RgbImage>, Budget&, std::span<float>) override {}
};

/// Its images are what their titles say.
class StoreWithImages : public FakeStore {
 public:
  std::string image_embedder_fingerprint() const override { return image_embedder; }
  std::vector<ScoredImage> search_images(std::span<const float> query, int64_t limit, const ChunkFilter&) override {
    ++image_searches;
    std::vector<ScoredImage> found;
    for (const StoredImage& image : images) {
      const auto bag = bag_of_words(image.title);
      found.push_back({image, std::inner_product(bag.begin(), bag.end(), query.begin(), 0.0f)});
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    found.resize(std::min(found.size(), static_cast<size_t>(limit)));
    return found;
  }
  std::string image_embedder = "clip";
  std::vector<StoredImage> images = {{1, "/a.png", "a house", 1, 0, ""}, {2, "/b.pdf", "a red car", 3, 7, "a car"}};
  int image_searches = 0;
};

class ModelsWithImages : public FakeModels {
 public:
  std::shared_ptr<ImageEmbedder> image_embedder() override {
    ++image_embedder_opened;
    if (is_missing) return Models::image_embedder();
    return {std::shared_ptr<void>(), &fake_images};
  }
  FakeImageEmbedder fake_images;
  int image_embedder_opened = 0;
  bool is_missing = false;
};

Reply ask(FakeStore& store, Models& models, const std::string& question, PipelineOptions options = {}) {
  const LawTable laws;
  return Pipeline(store, models, laws, options, nullptr, "kb").ask({"", question});
}

}  // namespace

TEST_CASE("images are a list of their own, which changes neither answer nor hits") {
  StoreWithImages with;
  FakeStore without;
  for (FakeStore* store : {static_cast<FakeStore*>(&with), &without}) {
    store->add("/cars.txt", "The red car is parked in front of the house.");
    store->add("/sea.txt", "The sea is blue and cold.");
  }
  ModelsWithImages models;
  const Reply reply = ask(with, models, "where is the red car parked?");
  REQUIRE(reply.images);
  REQUIRE(reply.images->size() == 2);
  CHECK(reply.images->at(0).image.path == "/b.pdf");
  Reply plain = ask(without, models, "where is the red car parked?");
  CHECK_FALSE(plain.images);
  CHECK(models.image_embedder_opened == 1);
  CHECK(plain.answer.text == reply.answer.text);
  CHECK(reply_to_json(plain, ReplyDetail::stored).find("images") == std::string::npos);
  // The same to the byte without the list.
  Reply rest = reply;
  rest.images.reset();
  CHECK(reply_to_json(rest, ReplyDetail::stored) == reply_to_json(plain, ReplyDetail::stored));
  const std::string text = render_reply(reply, {});
  CHECK(text.find("The nearest images:\n 1. ") != std::string::npos);
  CHECK(text.find("/b.pdf, page 7  a red car\n    generated caption: a car\n") != std::string::npos);
}

TEST_CASE("the images of a reply are kept by the cache") {
  StoreWithImages store;
  store.add("/cars.txt", "The red car is parked.");
  ModelsWithImages models;
  const Reply reply = ask(store, models, "where is the red car?");
  const Reply again = reply_from_json(reply_to_json(reply, ReplyDetail::stored));
  REQUIRE(again.images);
  CHECK(render_reply(again, {}) == render_reply(reply, {}));
  CHECK(again.images->at(0).image.page == 7);
  CHECK(again.images->at(0).image.caption == "a car");
}

TEST_CASE("images are not searched if they are switched off, and a missing pack is only noted") {
  StoreWithImages store;
  store.add("/cars.txt", "The red car is parked.");
  ModelsWithImages models;
  PipelineOptions off;
  off.images = 0;
  CHECK_FALSE(ask(store, models, "where is the red car?", off).images);
  CHECK(models.image_embedder_opened == 0);
  models.is_missing = true;
  const Reply reply = ask(store, models, "where is the red car?");
  CHECK_FALSE(reply.images);
  CHECK(reply.answer.text);
  CHECK(std::any_of(reply.skipped.begin(), reply.skipped.end(),
                    [](const std::string& each) { return each.starts_with("images: "); }));
  models.is_missing = false;
  store.image_embedder = "another";
  try {
    ask(store, models, "where is the red car?");
    FAIL("mixed the vectors of two embedders");
  } catch (const Error& error) {
    CHECK(error.code() == Code::mismatch);
  }
}

TEST_CASE("a generated caption is shown, and never quoted") {
  FakeStore store;
  store.add("/beach.jpg", "Two dogs run along the beach at sunset.").generated = true;
  FakeModels models;
  const Reply alone = ask(store, models, "where do the two dogs run at sunset?");
  CHECK(alone.answer.abstained);
  CHECK(alone.citations.empty());
  REQUIRE(alone.hits.size() == 1);
  CHECK(reply_to_json(alone, ReplyDetail::contract).find("\"generated\":true") != std::string::npos);
  store.add("/diary.txt", "At sunset the two dogs run home along the river.");
  const Reply reply = ask(store, models, "where do the two dogs run at sunset?");
  REQUIRE(reply.citations.size() == 1);
  CHECK(reply.citations[0].path == "/diary.txt");
  CHECK(reply.hits.size() == 2);
  CHECK(reply_from_json(reply_to_json(reply, ReplyDetail::stored)).hits.size() == 2);
}
