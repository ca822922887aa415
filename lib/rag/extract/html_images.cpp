#include "rag/extract/html_images.h"

#include <algorithm>

#include "rag/extract/mime.h"

namespace frugal {

void each_data_image(std::string_view html, const std::function<void(std::string image)>& sink) {
  constexpr std::string_view kBegin = "data:image/", kEncoding = ";base64,";
  constexpr size_t kMaxTypeBytes = 64;
  for (size_t at = html.find(kBegin); at != html.npos; at = html.find(kBegin, at)) {
    at += kBegin.size();
    const size_t type = html.substr(at, kMaxTypeBytes).find(kEncoding);
    if (type == html.npos) continue;
    at += type + kEncoding.size();
    const size_t end = std::min(html.find_first_of("\"'<>) ", at), html.size());
    sink(decode_transfer(html.substr(at, end - at), "base64"));
    at = end;
  }
}

}  // namespace frugal
