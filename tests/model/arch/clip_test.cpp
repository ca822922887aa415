// CLIP beside the golden outputs: what a checkpoint must have, what a pack stores, and inputs of every size.
#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "model/nn/image_embedder.h"
#include "model/nn/model_source.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/images.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;
namespace fs = std::filesystem;

namespace {

const fs::path kGolden = kRoot / "tests/golden/clip";

// A copy of the checkpoint that a test may damage.
struct Copy {
  TempFolder folder;
  fs::path path = folder / "clip";
  Copy() { fs::copy(kGolden, path); }

  // Replaces the first `before` in a file, which must have one.
  Copy& replace(const char* file, std::string_view before, std::string_view after) {
    std::string content = read_file(path / file);
    const size_t at = content.find(before);
    REQUIRE(at != content.npos);
    write_file(path / file, content.replace(at, before.size(), after));
    return *this;
  }
  // Inserts text behind the first `mark` in config.json.
  Copy& insert(std::string_view mark, const std::string& text) {
    return replace("config.json", mark, std::string(mark) + text);
  }
  Copy& remove(const char* file) {
    fs::remove(path / file);
    return *this;
  }
  std::string plan_error() const {
    return message_of([&] { plan_model(*open_checkpoint(path)); });
  }
  std::string pack_error() const {
    return message_of([&] { const TemporaryPack made(path, Precision::int8); });
  }
};

std::vector<float> vectors_of(ImageEmbedder& model, std::span<const std::string_view> texts) {
  std::vector<float> out(texts.size() * static_cast<size_t>(model.dimension()));
  model.embed_texts(texts, out);
  return out;
}

std::vector<float> vectors_of(ImageEmbedder& model, std::span<const RgbImage> images) {
  std::vector<float> out(images.size() * static_cast<size_t>(model.dimension()));
  model.embed_images(images, Budget::unlimited(), out);
  return out;
}

struct OpenClip {
  TemporaryPack made;
  Pack pack;
  ThreadPool threads{2};
  std::unique_ptr<Ops> ops = make_cpu_ops(threads, Budget::unlimited());
  std::unique_ptr<ImageEmbedder> model;
  explicit OpenClip(Precision precision) : made(kGolden, precision), pack(made.path) {
    model = open_as<ImageEmbedder>(PackSource(pack), *ops);
  }
};

}  // namespace

TEST_CASE("numbers of a CLIP configuration that no model has are errors that name them") {
  const std::array<std::array<std::string, 3>, 7> cases{{
      {"\"patch_size\": 8", "\"patch_size\": 0", "'vision_config.patch_size' is 0, outside [1, 1024]"},
      {"\"patch_size\": 8", "\"patch_size\": 33", "patches of 33 pixels in images of 32"},
      {"\"image_size\": 32", "\"image_size\": 1000000000",
       "'vision_config.image_size' is 1000000000, outside [1, 4096]"},
      {"\"max_position_embeddings\": 24", "\"max_position_embeddings\": 1000000000",
       "'text_config.max_position_embeddings' is 1000000000, outside [2, 1048576]"},
      {"\"num_attention_heads\": 4", "\"num_attention_heads\": 5", "hidden size 32 is not a multiple of 5 heads"},
      {"\"num_channels\": 3", "\"num_channels\": 4", "'vision_config.num_channels' is 4, outside [3, 3]"},
      {"\"quick_gelu\"", "\"slow_gelu\"", "unknown activation 'slow_gelu'"},
  }};
  for (const auto& [before, after, message] : cases) {
    Copy copy;
    copy.replace("config.json", before, after);
    CHECK(copy.plan_error() == message);
  }
}

TEST_CASE("a tensor of CLIP that is missing or of another shape is an error that names it") {
  const auto renamed = [](const std::string& name) {
    Copy copy;
    copy.replace("model.safetensors", "\"" + name + "\"", "\"" + std::string(name.size(), 'x') + "\"");
    return copy.pack_error();
  };
  CHECK(contains(renamed("visual_projection.weight"), "the checkpoint lacks the tensor 'visual_projection.weight'"));
  CHECK(contains(renamed("text_projection.weight"), "the checkpoint lacks the tensor 'text_projection.weight'"));
  for (const char* name : {"vision_model.embeddings.class_embedding", "vision_model.pre_layrnorm.bias",
                           "text_model.encoder.layers.1.mlp.fc2.bias"})
    CHECK(contains(renamed(name), "the checkpoint has no tensor '" + std::string(name) + "'"));
  Copy finer, fewer;
  finer.replace("config.json", "\"patch_size\": 8", "\"patch_size\": 4");
  CHECK(contains(finer.pack_error(), "tensor 'vision_model.embeddings.patch_embedding.weight' is [40, 3, 8, 8]"));
  fewer.replace("config.json", "\"max_position_embeddings\": 24", "\"max_position_embeddings\": 23");
  CHECK(contains(fewer.pack_error(), "tensor 'text_model.embeddings.position_embedding.weight' is [24, 32]"));
}

TEST_CASE("one tower alone is refused with the name of the other") {
  for (const auto& [type, missing] :
       {std::pair{"clip_text_model", "images"}, std::pair{"clip_vision_model", "texts"}}) {
    Copy copy;
    copy.replace("config.json", "\"model_type\": \"clip\"", std::string("\"model_type\": \"") + type + "\"");
    CHECK(copy.plan_error() == std::string("'") + type + "' is one tower of CLIP; that of " + missing + " is missing");
  }
}

TEST_CASE("the image processor must be there, and give the images that the model takes") {
  CHECK(Copy().remove("preprocessor_config.json").plan_error() == "the checkpoint has no preprocessor_config.json");
  CHECK(contains(Copy().replace("preprocessor_config.json", "\"crop_size\": 32", "\"crop_size\": 31").plan_error(),
                 "does not give images of 32 × 32 pixels"));
  CHECK(contains(
      Copy().replace("preprocessor_config.json", "\"do_center_crop\": true", "\"do_center_crop\": false").plan_error(),
      "does not give images of 32 × 32 pixels"));
  CHECK(contains(Copy().replace("preprocessor_config.json", "CLIPFeatureExtractor", "OddFeatureExtractor").plan_error(),
                 "unknown processor 'OddFeatureExtractor'"));
  Copy large;
  write_file(large.path / "preprocessor_config.json", std::string(70000, ' ') + "{}");
  CHECK(contains(large.plan_error(), "'preprocessor_config.json' has 70002 bytes"));
}

TEST_CASE("settings of a tower are read from text_config_dict where there is one, as transformers does") {
  const auto positions = [](const Copy& copy) {
    return plan_model(*open_checkpoint(copy.path)).config.at("clip.text.positions");
  };
  Copy copy;
  copy.insert("\"model_type\": \"clip\",",
              R"("text_config_dict": {"hidden_size": 32, "num_attention_heads": 4, "max_position_embeddings": 20},)");
  CHECK(positions(copy) == "20");
  CHECK(plan_model(*open_checkpoint(copy.path)).config.at("clip.text.layers") == "12");  // the default
  Copy act;
  act.insert("\"model_type\": \"clip\",", R"("text_config_dict": {"hidden_act": "gelu"},)");
  const auto planned = plan_model(*open_checkpoint(act.path)).config;
  CHECK(planned.at("clip.text.activation") == "gelu");
  CHECK(planned.at("clip.text.hidden") == "512");  // as CLIPTextConfig(**text_config_dict) has it
  CHECK(planned.at("clip.text.end") == "49407");
  Copy null;
  null.insert("\"model_type\": \"clip\",", "\"text_config_dict\": null,");
  CHECK(positions(null) == "24");
}

TEST_CASE("every matrix of CLIP is quantised, patches and projections among them, and its processor is provenance") {
  for (const Precision precision : {Precision::int8, Precision::int4}) {
    const TemporaryPack made(kGolden, precision);
    const Pack pack(made.path);
    const DType linear = precision == Precision::int8 ? DType::linear_i8 : DType::linear_i4;
    for (const char* name : {"image.patches.weight", "image.projection.weight", "text.projection.weight",
                             "image.layers.1.up.weight", "text.layers.0.q.weight"})
      CHECK(pack.require(name).dtype == linear);
    for (const char* name : {"text.words", "text.positions", "image.positions"})
      CHECK(pack.require(name).dtype == DType::i8);
    for (const PackTensor& tensor : pack.tensors())
      if (tensor.dtype == DType::f32) CHECK_MESSAGE(tensor.shape.rows() == 1, tensor.name);
    CHECK(contains(pack.require_text("provenance.sources"), " preprocessor_config.json\n"));
  }
}

TEST_CASE("a checkpoint that is read in full precision gives the vectors of its fp32 pack") {
  const OpenClip packed(Precision::fp32);
  const auto source = open_checkpoint_source(kGolden, "naive");
  const auto naive = open_as<ImageEmbedder>(*source, *packed.ops);
  const std::vector<std::string_view> texts = {"a lighthouse", "ships at dusk"};
  const std::array<RgbImage, 1> images{pattern_image(40, 50, 1)};
  CHECK(max_difference(vectors_of(*naive, texts), vectors_of(*packed.model, texts)) < 1e-6);
  CHECK(max_difference(vectors_of(*naive, images), vectors_of(*packed.model, images)) < 1e-6);
  CHECK(naive->fingerprint() != packed.model->fingerprint());
}

TEST_CASE("a vector does not depend on the texts and images beside it") {
  const OpenClip clip(Precision::int8);
  std::vector<std::string> lines;
  std::vector<RgbImage> images;
  lines.reserve(70);
  images.reserve(70);
  for (int i = 0; i < 70; ++i) {  // more than one forward pass
    lines.push_back(std::string(static_cast<size_t>(i % 30), 'b') + " the ships");
    images.push_back(pattern_image(20 + i, 90 - i, i));
  }
  const std::vector<std::string_view> texts(lines.begin(), lines.end());
  const std::vector<float> of_texts = vectors_of(*clip.model, texts), of_images = vectors_of(*clip.model, images);
  const auto size = static_cast<size_t>(clip.model->dimension());
  for (const size_t i : {size_t(0), size_t(41), size_t(42), size_t(69)}) {
    const auto text = vectors_of(*clip.model, std::span(texts).subspan(i, 1));
    const auto image = vectors_of(*clip.model, std::span<const RgbImage>(images).subspan(i, 1));
    CHECK(max_difference(std::span(of_texts).subspan(i * size, size), text) < 1e-5);
    CHECK(max_difference(std::span(of_images).subspan(i * size, size), image) < 1e-5);
    CHECK(cosine(text, text) == doctest::Approx(1));
  }
  CHECK(vectors_of(*clip.model, std::span<const std::string_view>()).empty());
  CHECK(vectors_of(*clip.model, std::span<const RgbImage>()).empty());
}

TEST_CASE("a text beyond the model's length is cut before the token that ends it") {
  const OpenClip clip(Precision::fp32);
  const std::string body = "ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab";
  const int64_t room = clip.model->max_tokens() - 2;
  REQUIRE(int64_t(clip.model->tokenizer().encode(body, false).size()) >= room);
  const std::string longer = body + " and more of it", longest = body + std::string(100000, '.');
  const std::array<std::string_view, 3> texts{body, longer, longest};
  const std::vector<float> vectors = vectors_of(*clip.model, texts);
  const auto size = static_cast<size_t>(clip.model->dimension());
  for (const size_t i : {size_t(1), size_t(2)})
    CHECK(max_difference(std::span(vectors).first(size), std::span(vectors).subspan(i * size, size)) < 1e-5);
}

TEST_CASE("an image that the processor cannot take is an error, and its memory is asked for") {
  const OpenClip clip(Precision::int8);
  std::vector<float> out(static_cast<size_t>(clip.model->dimension()));
  const std::array<RgbImage, 1> line{pattern_image(1, 110000, 1)}, large{pattern_image(300, 200, 1)};
  const auto too_narrow = error_of([&] { clip.model->embed_images(line, Budget::unlimited(), out); });
  REQUIRE(too_narrow);
  CHECK(too_narrow->code() == Code::bad_input);
  CHECK(contains(too_narrow->message(), "too long and narrow"));
  Budget small(1000);
  const auto refused = error_of([&] { clip.model->embed_images(large, small, out); });
  REQUIRE(refused);
  CHECK(refused->code() == Code::over_budget);
  clip.model->embed_images(large, Budget::unlimited(), out);  // the failures left nothing behind
  CHECK(cosine(out, out) == doctest::Approx(1));
}

TEST_CASE("a pack of CLIP is refused as an embedder of texts, with the reason") {
  const OpenClip clip(Precision::int8);
  const auto error = error_of([&] { open_embedder(clip.pack, *clip.ops); });
  REQUIRE(error);
  CHECK(error->code() == Code::mismatch);
  CHECK(contains(error->message(), "a 'clip' model is not an embedder"));
}
