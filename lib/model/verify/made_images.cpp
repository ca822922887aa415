#include "model/verify/made_images.h"

#include <algorithm>
#include <array>

namespace frugal {
namespace {

constexpr int64_t kWidth = 320, kHeight = 240;
constexpr int kShapes = 24;
constexpr uint64_t kNoise = 16;  // levels

using Color = std::array<int64_t, kRgbChannels>;

// SplitMix64 (Steele et al. 2014).
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}
  int64_t below(int64_t limit) { return static_cast<int64_t>(next() % static_cast<uint64_t>(limit)); }
  Color color() { return {below(256), below(256), below(256)}; }

 private:
  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

void set(RgbImage& image, int64_t x, int64_t y, const Color& color) {
  for (int64_t c = 0; c < kRgbChannels; ++c)
    image.row(y)[kRgbChannels * x + c] = static_cast<uint8_t>(std::clamp<int64_t>(color[size_t(c)], 0, 255));
}

// From one colour at the left to another at the right, and darker towards the bottom.
void fill_background(RgbImage& image, Numbers& numbers) {
  const Color left = numbers.color(), right = numbers.color();
  for (int64_t y = 0; y < image.height(); ++y)
    for (int64_t x = 0; x < image.width(); ++x) {
      Color color;
      for (size_t c = 0; c < color.size(); ++c)
        color[c] = (left[c] * (image.width() - x) + right[c] * x) / image.width() * (2 * image.height() - y) /
                   (2 * image.height());
      set(image, x, y, color);
    }
}

// A rectangle or an ellipse.
void draw_shape(RgbImage& image, Numbers& numbers) {
  const Color color = numbers.color();
  const bool round = numbers.below(2) == 0;
  const int64_t x = numbers.below(image.width()), y = numbers.below(image.height());
  const int64_t a = 2 + numbers.below(image.width() / 6), b = 2 + numbers.below(image.height() / 6);
  for (int64_t v = std::max<int64_t>(y - b, 0); v < std::min(y + b, image.height()); ++v)
    for (int64_t u = std::max<int64_t>(x - a, 0); u < std::min(x + a, image.width()); ++u)
      if (!round || (u - x) * (u - x) * b * b + (v - y) * (v - y) * a * a <= a * a * b * b) set(image, u, v, color);
}

void add_noise(RgbImage& image, Numbers& numbers) {
  for (uint8_t& level : image.pixels())
    level = static_cast<uint8_t>(
        std::clamp<int64_t>(level + numbers.below(2 * int64_t(kNoise) + 1) - int64_t(kNoise), 0, 255));
}

}  // namespace

RgbImage made_image(ImageSet set, int64_t index, Budget& budget) {
  Numbers numbers(2 * static_cast<uint64_t>(index) + (set == ImageSet::verification ? 1 : 0));
  RgbImage image(budget, kWidth, kHeight, "an image to measure with");
  fill_background(image, numbers);
  for (int i = 0; i < kShapes; ++i) draw_shape(image, numbers);
  add_noise(image, numbers);
  return image;
}

}  // namespace frugal
