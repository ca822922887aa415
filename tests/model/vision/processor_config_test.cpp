// Configurations as they are published, and wrong in every field.
#include "model/vision/processor_config.h"

#include <doctest/doctest.h>

#include <string>

#include "support/errors.h"

namespace {

using namespace frugal;
using namespace frugal::testing;
using Sizing = ImageProcessorConfig::Sizing;

ImageProcessorConfig clip_with(const std::string& fields) {
  return read_image_processor(R"({"image_processor_type": "CLIPImageProcessor")" + fields + "}", "p.json");
}
ImageProcessorConfig qwen_with(const std::string& fields) {
  return read_image_processor(R"({"image_processor_type": "Qwen2VLImageProcessorFast")" + fields + "}", "p.json");
}
std::string clip_message(const std::string& fields) {
  return message_of([&] { clip_with(", " + fields); });
}
std::string qwen_message(const std::string& fields) {
  return message_of([&] { qwen_with(", " + fields); });
}

TEST_CASE("absent fields have the defaults of transformers") {
  const ImageProcessorConfig clip = clip_with("");
  CHECK(clip.sizing == Sizing::shortest_edge);
  CHECK(clip.shortest_edge == 224);
  CHECK(clip.crop == ImageSize{224, 224});
  CHECK(clip.filter == ResampleFilter::bicubic);
  CHECK(clip.mean[0] == 0.48145466);
  CHECK(clip.rescale == 1.0 / 255);
  const ImageProcessorConfig qwen = qwen_with("");
  CHECK(qwen.layout == ImageProcessorConfig::Layout::patches);
  CHECK(qwen.min_pixels == 3136);
  CHECK(qwen.max_pixels == 1003520);
  CHECK(qwen.patch == 14);
  const ImageProcessorConfig blip = read_image_processor(R"({"image_processor_type": "BlipImageProcessor"})", "p.json");
  CHECK(blip.size == ImageSize{384, 384});
  CHECK_FALSE(blip.crop);
}

TEST_CASE("sizes come in every form that transformers accepts") {
  CHECK(clip_with(R"(, "size": 90)").shortest_edge == 90);
  CHECK(clip_with(R"(, "size": {"shortest_edge": 91})").shortest_edge == 91);
  CHECK(clip_with(R"(, "size": {"height": 20, "width": 30})").size == ImageSize{30, 20});
  CHECK(clip_with(R"(, "crop_size": {"height": 20, "width": 30})").crop == ImageSize{30, 20});
  CHECK_FALSE(clip_with(R"(, "do_center_crop": false)").crop);
  CHECK(clip_with(R"(, "do_resize": false)").sizing == Sizing::as_is);
  const ImageProcessorConfig blip =
      read_image_processor(R"({"image_processor_type": "BlipImageProcessor", "size": 99})", "p.json");
  CHECK(blip.size == ImageSize{99, 99});
  const ImageProcessorConfig qwen = qwen_with(R"(, "size": {"shortest_edge": 100, "longest_edge": 200})");
  CHECK(qwen.min_pixels == 100);
  CHECK(qwen.max_pixels == 200);
  CHECK(qwen_with(R"(, "min_pixels": 5, "max_pixels": 9)").max_pixels == 9);
}

TEST_CASE("values can be left as they are") {
  const ImageProcessorConfig config = clip_with(R"(, "do_rescale": false, "do_normalize": false)");
  CHECK(config.rescale == 1);
  CHECK(config.mean[1] == 0);
  CHECK(config.deviation[2] == 1);
  CHECK(clip_with(R"(, "image_mean": 0.5)").mean[2] == 0.5);
}

TEST_CASE("a configuration can be a part of a processor_config.json") {
  const ImageProcessorConfig config = read_image_processor(
      R"({"processor_class": "X", "image_processor": {"image_processor_type": "CLIPImageProcessorPil", "size": 7}})",
      "p.json");
  CHECK(config.shortest_edge == 7);
  CHECK(contains(message_of([] {
                   read_image_processor(
                       R"({"image_processor": {"image_processor_type": "CLIPImageProcessor", "size": 0}})", "p.json");
                 }),
                 "'p.json': image_processor.size: "));
}

TEST_CASE("a wrong value is refused by the name of its field") {
  CHECK(contains(message_of([] { read_image_processor("[]", "p.json"); }), "'p.json' is not a JSON object"));
  CHECK(message_of([] { read_image_processor("{}", "p.json"); }) == "'p.json': image_processor_type: missing");
  CHECK(contains(message_of([] { read_image_processor(R"({"image_processor_type": "ViTImageProcessor"})", "p.json"); }),
                 "image_processor_type: unknown processor 'ViTImageProcessor'"));
  CHECK(contains(message_of([] { read_image_processor(R"({"image_processor_type": 3})", "p.json"); }),
                 "image_processor_type: not a string"));
  for (const char* size : {"0", "-1", "1e9", "224.5", "\"224\"", "[224]", "{}", "{\"height\": 5}",
                           "{\"height\": 0, \"width\": 5}", "{\"shortest_edge\": 5000}"})
    CHECK(contains(clip_message(R"("size": )" + std::string(size)), "'p.json': size"));
  CHECK(contains(clip_message(R"("size": {"shortest_edge": 9, "longest_edge": 99})"), "size.longest_edge"));
  CHECK(contains(clip_message(R"("crop_size": 0)"), "'p.json': crop_size: not an integer from 1 to 4096"));
  CHECK(contains(clip_message(R"("crop_size": {"height": 5, "width": 5000})"), "'p.json': crop_size.width: "));
  CHECK(contains(clip_message(R"("resample": 0)"), "'p.json': resample: not supported"));
  CHECK(contains(clip_message(R"("resample": "bicubic")"), "'p.json': resample: "));
  CHECK(contains(clip_message(R"("rescale_factor": 0)"), "'p.json': rescale_factor: "));
  CHECK(contains(clip_message(R"("image_mean": [0.1, 0.2])"), "'p.json': image_mean: 2 numbers, not 3"));
  CHECK(contains(clip_message(R"("image_mean": [0.1, 0.2, "x"])"), "'p.json': image_mean: "));
  CHECK(contains(clip_message(R"("image_std": [0.1, 0, 0.1])"), "'p.json': image_std: "));
  CHECK(contains(clip_message(R"("do_resize": 1)"), "'p.json': do_resize: neither true nor false"));
  CHECK(contains(clip_message(R"("do_pad": true)"), "'p.json': do_pad: "));
  CHECK(contains(qwen_message(R"("size": 224)"), "'p.json': size: "));
  CHECK(contains(qwen_message(R"("size": {"shortest_edge": 9, "longest_edge": 8})"), "'p.json': size.longest_edge: "));
  CHECK(contains(qwen_message(R"("max_pixels": 1)"), "'p.json': max_pixels: less than the minimum"));
  CHECK(contains(qwen_message(R"("max_pixels": 1000000000000000000000)"), "'p.json': max_pixels: "));
  CHECK(contains(qwen_message(R"("patch_size": 0)"), "'p.json': patch_size: not an integer from 1 to 256"));
  CHECK(contains(qwen_message(R"("merge_size": 17)"), "'p.json': merge_size: "));
  CHECK(contains(qwen_message(R"("temporal_patch_size": -2)"), "'p.json': temporal_patch_size: "));
  CHECK(contains(qwen_message(R"("do_resize": false)"), "'p.json': do_resize: "));
}

}  // namespace
