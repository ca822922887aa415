// The images of a PDF, with their pages. poppler's C++ interface gives no images, so the file itself is read: an image
// is a stream, which is never inside another stream. A scan over the bytes finds all objects, as readers do that repair
// a damaged table of references, and unpacks those that hold other objects; a later object of a number replaces an
// earlier one. A JPEG image is a JPEG file in its stream. One of compressed samples is what a PNG file has inside, if
// its rows have filters, and is otherwise made into one.
//
// Pages are found from the catalogue: the tree of pages, the resources of each page or of its parents, their images,
// and those of the forms that it draws. An image that no page is found to draw is passed last, without a page.
//
// Everything is bounded by the size of the file: an object is visited once in the tree, and a form once for each page.
// Samples of other than 8 bits, with a palette or CMYK, fax, JPEG 2000 and encrypted files are left out, as are masks.
#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "rag/office/ascii85.h"
#include "rag/office/figures.h"
#include "rag/office/flate.h"

namespace frugal {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxReferences = 1'000'000;  // looked at in all: a form may be drawn by every page
constexpr size_t kMaxObjectBytes = 64 << 20;  // of packed objects, of all together
constexpr size_t kMaxSampleBytes = 64 << 20;  // of an image: 21 megapixels
constexpr size_t kMaxFilters = 4;             // of one stream
constexpr std::string_view kFlate = "/FlateDecode";

struct PdfObject {
  std::string_view dictionary, stream;
};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\0';
}
bool is_regular(char c) {
  return !is_blank(c) && std::string_view("()<>[]{}/%").find(c) == std::string_view::npos;
}

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

/// Takes a number from the front; nullopt, and `text` as it was, if there is none.
std::optional<int64_t> take_number(std::string_view& text) {
  std::string_view rest = skip_blanks(text);
  int64_t number = 0;
  size_t digits = 0;
  for (; digits < rest.size() && digits < 10 && '0' <= rest[digits] && rest[digits] <= '9'; ++digits)
    number = 10 * number + (rest[digits] - '0');
  if (digits == 0) return std::nullopt;
  text = rest.substr(digits);
  return number;
}

/// "12 0 R" at the front.
std::optional<int64_t> take_reference(std::string_view& text) {
  std::string_view rest = text;
  const std::optional<int64_t> number = take_number(rest);
  if (!number || !take_number(rest)) return std::nullopt;
  rest = skip_blanks(rest);
  if (!rest.starts_with('R') || (rest.size() > 1 && is_regular(rest[1]))) return std::nullopt;
  text = rest.substr(1);
  return number;
}

/// What follows a key, from its value on; empty if it is absent.
std::string_view value_of(std::string_view dictionary, std::string_view key) {
  for (size_t at = dictionary.find(key); at != dictionary.npos; at = dictionary.find(key, at + 1)) {
    const std::string_view rest = dictionary.substr(at + key.size());
    if (rest.empty() || !is_regular(rest.front())) return skip_blanks(rest);
  }
  return {};
}

bool has_name(std::string_view dictionary, std::string_view key, std::string_view name) {
  std::string_view value = value_of(dictionary, key);
  return value.starts_with(name) && (value.size() == name.size() || !is_regular(value[name.size()]));
}

/// The value up to the bracket that closes it.
std::string_view bracketed(std::string_view value, std::string_view open, std::string_view close) {
  if (!value.starts_with(open)) return {};
  int64_t depth = 0;
  for (size_t at = 0; at < value.size();) {
    if (value.substr(at).starts_with(open)) {
      ++depth;
      at += open.size();
    } else if (value.substr(at).starts_with(close)) {
      at += close.size();
      if (--depth == 0) return value.substr(0, at);
    } else {
      ++at;
    }
  }
  return value;
}

std::vector<int64_t> references_in(std::string_view text) {
  std::vector<int64_t> found;
  while (!text.empty()) {
    if (const auto reference = take_reference(text)) {
      found.push_back(*reference);
      continue;
    }
    // A whole token, so that the digits of a name are no number.
    text = skip_blanks(text);
    size_t length = 1;
    if (!text.empty() && (is_regular(text.front()) || text.front() == '/'))
      while (length < text.size() && is_regular(text[length])) ++length;
    text.remove_prefix(std::min(length, text.size()));
  }
  return found;
}

class PdfScan {
 public:
  PdfScan(std::string_view bytes, const FigureSink& sink) : sink_(sink) { find_objects(bytes); }

  void run() {
    for (const auto& [number, object] : objects_)
      if (has_name(object.dictionary, "/Type", "/Catalog")) visit_pages(reference(object.dictionary, "/Pages"), {}, 0);
    for (const auto& [number, object] : objects_)
      if (is_image(object)) pass(number, object, 0);
  }

 private:
  void find_objects(std::string_view bytes) {
    constexpr std::string_view kObject = "obj", kStream = "stream", kEndStream = "endstream", kEndObject = "endobj";
    for (size_t at = bytes.find(kObject); at != bytes.npos; at = bytes.find(kObject, at)) {
      const std::optional<int64_t> number = number_before(bytes.substr(0, at));
      at += kObject.size();
      if (!number) continue;
      const size_t end = std::min(bytes.find(kEndObject, at), bytes.size());
      const size_t stream = bytes.substr(0, end).find(kStream, at);
      PdfObject& object = objects_[*number];
      object = {bytes.substr(at, std::min(stream, end) - at), {}};
      if (stream == bytes.npos) {
        at = end;
        continue;
      }
      size_t begin = stream + kStream.size();
      if (begin < bytes.size() && bytes[begin] == '\r') ++begin;
      if (begin < bytes.size() && bytes[begin] == '\n') ++begin;
      at = std::min(bytes.find(kEndStream, begin), bytes.size());
      object.stream = bytes.substr(begin, at - begin);
      if (has_name(object.dictionary, "/Type", "/ObjStm") && filters_of(object) == std::vector{kFlate})
        unpack_objects(PdfObject(object));
    }
  }

  /// "12 0 13 57 <<…>> <<…>>": numbers and places, then the objects.
  void unpack_objects(const PdfObject& packed) {
    std::optional<std::string> text = inflate(packed.stream, kMaxObjectBytes - unpacked_bytes_);
    const int64_t begin = number_at(packed.dictionary, "/First", -1);
    if (!text || begin < 0) return;
    unpacked_bytes_ += text->size();
    const std::string_view all = unpacked_.emplace_back(std::move(*text));
    std::string_view table = all.substr(0, static_cast<size_t>(begin));
    for (std::optional<int64_t> number = take_number(table), place; number; number = take_number(table)) {
      place = take_number(table);
      if (!place || static_cast<size_t>(begin + *place) >= all.size()) return;
      const std::string_view object = skip_blanks(all.substr(static_cast<size_t>(begin + *place)));
      const bool is_list = object.starts_with('[');
      objects_[*number] = {bracketed(object, is_list ? "[" : "<<", is_list ? "]" : ">>"), {}};
    }
  }

  /// Of "12 0 " at the end.
  static std::optional<int64_t> number_before(std::string_view text) {
    constexpr size_t kMaxHeader = 32;
    text = text.substr(text.size() - std::min(text.size(), kMaxHeader));
    const auto drop_back = [&](auto&& drops) {
      const size_t before = text.size();
      while (!text.empty() && drops(text.back())) text.remove_suffix(1);
      return before - text.size();
    };
    const auto is_digit = [](char c) { return '0' <= c && c <= '9'; };
    if (drop_back(is_blank) == 0 || drop_back(is_digit) == 0 || drop_back(is_blank) == 0) return std::nullopt;
    const std::string_view up_to = text;
    const size_t digits = drop_back(is_digit);
    std::string_view number = up_to.substr(up_to.size() - digits);
    return take_number(number);
  }

  static bool is_image(const PdfObject& object) {
    return has_name(object.dictionary, "/Subtype", "/Image") && !has_name(object.dictionary, "/ImageMask", "true");
  }

  /// The names of a stream's filters, in the order in which they are undone.
  static std::vector<std::string_view> filters_of(const PdfObject& object) {
    std::string_view rest = value_of(object.dictionary, "/Filter");
    const bool is_list = rest.starts_with('[');
    if (is_list) rest.remove_prefix(1);
    std::vector<std::string_view> filters;
    // One above the limit is enough to see that there are too many.
    for (rest = skip_blanks(rest); rest.starts_with('/') && filters.size() <= kMaxFilters; rest = skip_blanks(rest)) {
      size_t length = 1;
      while (length < rest.size() && is_regular(rest[length])) ++length;
      filters.push_back(rest.substr(0, length));
      if (!is_list) break;
      rest.remove_prefix(length);
    }
    return filters;
  }

  static std::optional<std::string> undo(std::string_view filter, std::string_view stream) {
    if (filter == "/ASCII85Decode") return decode_ascii85(stream);
    return filter == kFlate ? inflate(stream, kMaxSampleBytes) : std::nullopt;
  }

  static int64_t number_at(std::string_view dictionary, std::string_view key, int64_t otherwise) {
    std::string_view value = value_of(dictionary, key);
    return take_number(value).value_or(otherwise);
  }

  /// 1 for grey samples, 3 for RGB; 0 for others.
  int64_t channels_of(const PdfObject& image) const {
    std::string_view space = value_of(image.dictionary, "/ColorSpace");
    if (const PdfObject* object = find(reference(image.dictionary, "/ColorSpace"))) space = object->dictionary;
    space = skip_blanks(space);
    if (space.starts_with('[')) space = skip_blanks(space.substr(1));
    if (space.starts_with("/DeviceGray") || space.starts_with("/CalGray")) return 1;
    if (space.starts_with("/DeviceRGB") || space.starts_with("/CalRGB")) return 3;
    const PdfObject* profile = space.starts_with("/ICCBased") ? find(reference(space, "/ICCBased")) : nullptr;
    const int64_t channels = profile ? number_at(profile->dictionary, "/N", 0) : 0;
    return channels == 1 || channels == 3 ? channels : 0;
  }

  /// An image of compressed samples as a PNG file; empty if it is none that is understood here.
  std::string png_of_image(const PdfObject& image) const {
    constexpr int64_t kFirstPngPredictor = 10, kNoPredictor = 1, kMaxSide = 65'535;
    const int64_t width = number_at(image.dictionary, "/Width", 0), height = number_at(image.dictionary, "/Height", 0);
    const int64_t channels = channels_of(image);
    const bool fits = width > 0 && height > 0 && width <= kMaxSide && height <= kMaxSide && channels > 0 &&
                      static_cast<size_t>(width * height * channels) <= kMaxSampleBytes;
    if (!fits || number_at(image.dictionary, "/BitsPerComponent", 0) != 8) return {};
    const PngSamples samples{static_cast<uint32_t>(width), static_cast<uint32_t>(height), channels == 3};
    const int64_t predictor = number_at(image.dictionary, "/Predictor", kNoPredictor);
    if (predictor >= kFirstPngPredictor) return png_of(samples, image.stream);
    if (predictor != kNoPredictor) return {};
    std::optional<std::string> unpacked = inflate(image.stream, kMaxSampleBytes);
    return unpacked ? png_of_samples(samples, std::move(*unpacked)) : std::string();
  }

  const PdfObject* find(int64_t number) const {
    const auto found = objects_.find(number);
    return found == objects_.end() ? nullptr : &found->second;
  }

  static int64_t reference(std::string_view dictionary, std::string_view key) {
    std::string_view value = value_of(dictionary, key);
    return take_reference(value).value_or(-1);
  }

  /// A dictionary in a dictionary, or that of the object that it refers to.
  std::string_view dictionary_at(std::string_view dictionary, std::string_view key) const {
    const std::string_view value = value_of(dictionary, key);
    if (value.starts_with("<<")) return bracketed(value, "<<", ">>");
    const PdfObject* object = find(reference(dictionary, key));
    return object ? object->dictionary : std::string_view();
  }

  void visit_pages(int64_t number, std::string_view inherited, int depth) {
    const PdfObject* node = find(number);
    if (!node || depth > kMaxDepth || !visited_.insert(number).second) return;
    const std::string_view own = dictionary_at(node->dictionary, "/Resources");
    const std::string_view resources = own.empty() ? inherited : own;
    const std::string_view kids = bracketed(value_of(node->dictionary, "/Kids"), "[", "]");
    if (kids.empty()) {
      ++page_;
      drawn_.clear();
      return visit_resources(resources, 0);
    }
    for (const int64_t kid : references_in(kids)) visit_pages(kid, resources, depth + 1);
  }

  void visit_resources(std::string_view resources, int depth) {
    if (depth > kMaxDepth || references_ > kMaxReferences) return;
    const std::vector<int64_t> objects = references_in(dictionary_at(resources, "/XObject"));
    references_ += objects.size();
    for (const int64_t number : objects) {
      const PdfObject* object = find(number);
      if (!object || !drawn_.insert(number).second) continue;
      if (is_image(*object)) pass(number, *object, page_);
      if (has_name(object->dictionary, "/Subtype", "/Form"))
        visit_resources(dictionary_at(object->dictionary, "/Resources"), depth + 1);
    }
  }

  void pass(int64_t number, const PdfObject& object, int64_t page) {
    if (is_enough_ || !passed_.insert(number).second) return;
    const std::vector<std::string_view> filters = filters_of(object);
    if (filters.empty() || filters.size() > kMaxFilters) return;
    PdfObject image = object;
    std::string undone;  // which image.stream is a view of, from the second filter on
    for (size_t i = 0; i + 1 < filters.size(); ++i) {
      std::optional<std::string> next = undo(filters[i], image.stream);
      if (!next) return;
      undone = std::move(*next);
      image.stream = undone;
    }
    if (filters.back() == "/DCTDecode") is_enough_ = !sink_(image.stream, page);
    if (filters.back() != kFlate) return;
    if (const std::string png = png_of_image(image); !png.empty()) is_enough_ = !sink_(png, page);
  }

  const FigureSink& sink_;
  std::map<int64_t, PdfObject> objects_;
  std::deque<std::string> unpacked_;  // of which objects are views
  size_t unpacked_bytes_ = 0;
  std::set<int64_t> visited_, drawn_, passed_;  // nodes of the tree; on this page; images
  size_t references_ = 0;
  int64_t page_ = 0;
  bool is_enough_ = false;
};

}  // namespace

void find_pdf_figures(std::string_view bytes, const FigureSink& sink) {
  if (bytes.find("/Encrypt") != bytes.npos) return;
  PdfScan(bytes, sink).run();
}

}  // namespace frugal
