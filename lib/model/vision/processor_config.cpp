#include "model/vision/processor_config.h"

#include <fmt/format.h>

#include <string>

#include "base/error.h"
#include "model/format/json_reader.h"
#include "model/format/source_tensor.h"

namespace frugal {
namespace {

constexpr int64_t kMaxConfigSide = 4096;
constexpr int64_t kMaxConfigPixels = int64_t{1} << 28;

// The fields of an object of the file. A field that is null is absent.
class Fields {
 public:
  Fields(simdjson::dom::object object, std::string_view file, std::string prefix = {})
      : object_(object), file_(file), prefix_(std::move(prefix)) {}

  std::optional<simdjson::dom::element> find(std::string_view key) const {
    simdjson::dom::element value;
    if (object_.at_key(key).get(value) || value.is_null()) return std::nullopt;
    return value;
  }
  std::optional<Fields> object(std::string_view key) const {
    const auto value = find(key);
    if (!value || !value->is_object()) return std::nullopt;
    return Fields(value->get_object().value(), file_, path_of(key) + ".");
  }

  int64_t integer(std::string_view key, int64_t min, int64_t max, int64_t fallback) const {
    const auto value = find(key);
    return value ? integer(key, *value, min, max) : fallback;
  }
  int64_t integer(std::string_view key, simdjson::dom::element value, int64_t min, int64_t max) const {
    int64_t number = 0;
    if (value.get(number) || number < min || number > max)
      throw wrong(key, fmt::format("not an integer from {} to {}", min, max));
    return number;
  }
  double number(std::string_view key, simdjson::dom::element value, double min, double max) const {
    double found = 0;
    if (value.get(found) || !(found >= min && found <= max))
      throw wrong(key, fmt::format("not a number from {} to {}", min, max));
    return found;
  }
  bool boolean(std::string_view key, bool fallback) const {
    const auto value = find(key);
    bool found = fallback;
    if (value && value->get(found)) throw wrong(key, "neither true nor false");
    return found;
  }
  std::string_view text(std::string_view key) const {
    const auto value = find(key);
    std::string_view found;
    if (value && value->get(found)) throw wrong(key, "not a string");
    return found;
  }

  Error wrong(std::string_view key, std::string_view what) const {
    return Error(Code::bad_input, fmt::format("'{}': {}: {}", file_, path_of(key), what))
        .hint("use the preprocessor_config.json that the model was published with");
  }

 private:
  std::string path_of(std::string_view key) const { return prefix_ + std::string(key); }

  simdjson::dom::object object_;
  std::string_view file_;
  std::string prefix_;
};

// --- the processors of transformers, with their defaults ---

constexpr std::array<double, 3> kClipMean{0.48145466, 0.4578275, 0.40821073};
constexpr std::array<double, 3> kClipDeviation{0.26862954, 0.26130258, 0.27577711};

ImageProcessorConfig clip_defaults() {
  ImageProcessorConfig config;
  config.sizing = ImageProcessorConfig::Sizing::shortest_edge;
  config.shortest_edge = 224;
  config.crop = ImageSize{224, 224};
  return config;
}

ImageProcessorConfig blip_defaults() {
  ImageProcessorConfig config;
  config.size = {384, 384};
  return config;
}

ImageProcessorConfig qwen_defaults() {
  ImageProcessorConfig config;
  config.layout = ImageProcessorConfig::Layout::patches;
  config.sizing = ImageProcessorConfig::Sizing::pixel_range;
  config.min_pixels = 56 * 56;
  config.max_pixels = 28 * 28 * 1280;
  config.patch = 14;
  config.merge = 2;
  config.frames = 2;
  return config;
}

struct ProcessorFamily {
  std::string_view name;
  ImageProcessorConfig (*defaults)();
  bool number_is_square;  // "size": 224 is 224 × 224, not the shortest edge
};
constexpr ProcessorFamily kFamilies[] = {{"CLIPImageProcessor", clip_defaults, false},
                                         {"CLIPFeatureExtractor", clip_defaults, false},
                                         {"BlipImageProcessor", blip_defaults, true},
                                         {"Qwen2VLImageProcessor", qwen_defaults, false}};

// The suffixes name an implementation of the same processor.
std::string_view without_suffix(std::string_view name) {
  for (const std::string_view suffix : {"Fast", "Pil"})
    if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return name;
}

const ProcessorFamily& family_of(const Fields& fields) {
  const std::string_view key =
      fields.find("image_processor_type") ? "image_processor_type" : "feature_extractor_type";  // of older versions
  const std::string_view name = without_suffix(fields.text(key));
  for (const ProcessorFamily& family : kFamilies)
    if (family.name == name) return family;
  throw fields
      .wrong("image_processor_type", name.empty() ? "missing" : fmt::format("unknown processor '{}'", printable(name)))
      .hint("known are CLIPImageProcessor, BlipImageProcessor and Qwen2VLImageProcessor");
}

// --- the parts of a configuration ---

ImageSize read_sides(const Fields& fields, std::string_view key) {
  if (const auto object = fields.object(key); object && object->find("height") && object->find("width"))
    return {object->integer("width", 1, kMaxConfigSide, 0), object->integer("height", 1, kMaxConfigSide, 0)};
  if (const auto value = fields.find(key); value && !value->is_object()) {
    const int64_t side = fields.integer(key, *value, 1, kMaxConfigSide);
    return {side, side};
  }
  throw fields.wrong(key, "neither an integer nor an object with height and width");
}

void read_pixel_range(const Fields& fields, ImageProcessorConfig& config) {
  if (fields.find("size")) {
    const auto size = fields.object("size");
    if (!size || !size->find("shortest_edge") || !size->find("longest_edge"))
      throw fields.wrong("size", "not an object with shortest_edge and longest_edge");
    config.min_pixels = size->integer("shortest_edge", 1, kMaxConfigPixels, 0);
    config.max_pixels = size->integer("longest_edge", 1, kMaxConfigPixels, 0);
  }
  config.min_pixels = fields.integer("min_pixels", 1, kMaxConfigPixels, config.min_pixels);
  config.max_pixels = fields.integer("max_pixels", 1, kMaxConfigPixels, config.max_pixels);
  if (config.min_pixels > config.max_pixels)
    throw fields.wrong(fields.find("max_pixels") ? "max_pixels" : "size.longest_edge", "less than the minimum");
  config.patch = fields.integer("patch_size", 1, 256, config.patch);
  config.merge = fields.integer("merge_size", 1, 16, config.merge);
  config.frames = fields.integer("temporal_patch_size", 1, 16, config.frames);
}

void read_size(const Fields& fields, bool number_is_square, ImageProcessorConfig& config) {
  const auto value = fields.find("size");
  if (!value) return;
  const auto object = fields.object("size");
  const bool is_edge = object ? object->find("shortest_edge").has_value() : !number_is_square;
  if (!is_edge) {
    config.sizing = ImageProcessorConfig::Sizing::exact;
    config.size = read_sides(fields, "size");
    return;
  }
  if (object && object->find("longest_edge")) throw object->wrong("longest_edge", "not supported");
  config.sizing = ImageProcessorConfig::Sizing::shortest_edge;
  config.shortest_edge = object ? object->integer("shortest_edge", 1, kMaxConfigSide, 0)
                                : fields.integer("size", *value, 1, kMaxConfigSide);
}

void read_crop(const Fields& fields, ImageProcessorConfig& config) {
  if (!fields.boolean("do_center_crop", config.crop.has_value())) {
    config.crop.reset();
    return;
  }
  if (fields.find("crop_size") || !config.crop) config.crop = read_sides(fields, "crop_size");
}

ResampleFilter read_filter(const Fields& fields) {
  constexpr int64_t kLanczos = 1, kBilinear = 2, kBicubic = 3;  // Pillow's numbers
  switch (fields.integer("resample", 0, 1000, kBicubic)) {
    case kLanczos:
      return ResampleFilter::lanczos;
    case kBilinear:
      return ResampleFilter::bilinear;
    case kBicubic:
      return ResampleFilter::bicubic;
    default:
      throw fields.wrong("resample", "not supported; known are 1 (Lanczos), 2 (bilinear) and 3 (bicubic)");
  }
}

// A number for all colours, or a list of three.
std::array<double, 3> read_colors(const Fields& fields, std::string_view key, double min, double max,
                                  std::array<double, 3> colors) {
  const auto value = fields.find(key);
  if (!value) return colors;
  if (!value->is_array()) {
    colors.fill(fields.number(key, *value, min, max));
    return colors;
  }
  const simdjson::dom::array list = value->get_array().value();
  if (list.size() != colors.size()) throw fields.wrong(key, fmt::format("{} numbers, not 3", list.size()));
  size_t i = 0;
  for (const simdjson::dom::element number : list) colors[i++] = fields.number(key, number, min, max);
  return colors;
}

void read_values(const Fields& fields, ImageProcessorConfig& config) {
  if (!fields.boolean("do_rescale", true))
    config.rescale = 1;
  else if (const auto value = fields.find("rescale_factor"))
    config.rescale = fields.number("rescale_factor", *value, 1e-6, 1);
  if (!fields.boolean("do_normalize", true)) return;
  config.mean = read_colors(fields, "image_mean", -1000, 1000, kClipMean);
  config.deviation = read_colors(fields, "image_std", 1e-6, 1000, kClipDeviation);
}

}  // namespace

ImageProcessorConfig read_image_processor(std::string_view json, std::string_view file) {
  simdjson::dom::parser parser;
  Fields fields(parse_json_object(parser, json, file), file);
  if (const auto inner = fields.object("image_processor")) fields = *inner;
  const ProcessorFamily& family = family_of(fields);
  ImageProcessorConfig config = family.defaults();
  const bool resizes = fields.boolean("do_resize", true);
  if (fields.boolean("do_pad", false)) throw fields.wrong("do_pad", "padding is not supported");
  if (config.layout == ImageProcessorConfig::Layout::patches) {
    if (!resizes) throw fields.wrong("do_resize", "patches need resized images");
    read_pixel_range(fields, config);
  } else {
    read_size(fields, family.number_is_square, config);
    if (!resizes) config.sizing = ImageProcessorConfig::Sizing::as_is;
    read_crop(fields, config);
  }
  config.filter = read_filter(fields);
  read_values(fields, config);
  return config;
}

}  // namespace frugal
