#include "measure/profile/memory_timeline.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include "base/units.h"

using namespace frugal;

namespace {

constexpr int64_t kMs = 1'000'000;

Timeline two_stages() {
  Timeline timeline;
  timeline.title = "two <stages> & \"more\"";
  timeline.stages = {{"load a", 100 * kMs, 101 * kMs, ""}, {"run a", 101 * kMs, 200 * kMs, "embedded 3 tokens"}};
  timeline.points = {{100 * kMs, kMiB, 2 * kMiB, 0}, {150 * kMs, 3 * kMiB, 9 * kMiB, 0}, {200 * kMs, kMiB, kMiB, 0}};
  return timeline;
}

size_t count(const std::string& text, std::string_view part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a picture has a band for each stage, escapes names and shows the peak") {
  const std::string svg = timeline_svg(two_stages());
  CHECK(count(svg, "class=\"band") == 2);
  CHECK(svg.find("two &lt;stages&gt; &amp; &quot;more&quot;") != std::string::npos);
  CHECK(svg.find("<stages>") == std::string::npos);
  CHECK(svg.find("peak 3.0 MiB") != std::string::npos);
  CHECK(svg.find("1 load a") != std::string::npos);
}

TEST_CASE("the budget is drawn where there is one, and within the chart") {
  Timeline timeline = two_stages();
  CHECK(timeline_svg(timeline).find("class=\"budget\"") == std::string::npos);
  timeline.budget_bytes = 64 * kMiB;
  const std::string svg = timeline_svg(timeline);
  CHECK(svg.find("budget 64.0 MiB") != std::string::npos);
  CHECK(svg.find("80 MiB") != std::string::npos);  // the axis reaches beyond it
}

TEST_CASE("a device gets a chart of its own") {
  Timeline timeline = two_stages();
  CHECK(timeline_svg(timeline).find("GPU") == std::string::npos);
  timeline.gpu = {{100 * kMs, 0}, {200 * kMs, kGiB}};
  CHECK(timeline_svg(timeline).find("GPU memory in use") != std::string::npos);
}

TEST_CASE("numbers of short stages do not stand on each other") {
  Timeline timeline = two_stages();
  timeline.stages.clear();
  for (int64_t i = 0; i < 12; ++i) timeline.stages.push_back({"s", 200 * kMs - 12 + i, 200 * kMs - 11 + i, ""});
  const std::string svg = timeline_svg(timeline);
  double last = 0;
  int tags = 0;
  for (size_t at = svg.find("class=\"number\" x=\""); at != std::string::npos;
       at = svg.find("class=\"number\" x=\"", at + 1), ++tags) {
    const double x = std::stod(svg.substr(at + 18));
    CHECK(x >= last + 20);
    CHECK(x <= 1000);
    last = x;
  }
  CHECK(tags == 12);
}

TEST_CASE("a trace begins at its first stage and counts in microseconds") {
  simdjson::dom::parser parser;
  const std::string text = timeline_trace(two_stages());
  const simdjson::dom::element trace = parser.parse(text);
  CHECK(double(trace.at_pointer("/traceEvents/1/ts")) == 0);
  CHECK(double(trace.at_pointer("/traceEvents/1/dur")) == 1000);
  CHECK(std::string_view(trace.at_pointer("/traceEvents/2/name")) == "run a");
  CHECK(double(trace.at_pointer("/traceEvents/4/ts")) == 50'000);
  CHECK(uint64_t(trace.at_pointer("/traceEvents/4/args/anonymous_bytes")) == 3 * kMiB);
}

TEST_CASE("a timeline without anything in it is still a picture") {
  const Timeline empty;
  CHECK(timeline_svg(empty).find("</svg>") != std::string::npos);
  CHECK(timeline_html(empty).find("</html>") != std::string::npos);
}

TEST_CASE("a page needs nothing from elsewhere") {
  const std::string html = timeline_html(two_stages());
  CHECK(html.find("<script") == std::string::npos);
  CHECK(html.find("src=") == std::string::npos);
  CHECK(html.find("href=") == std::string::npos);
  CHECK(html.find("<td>3.0 MiB</td>") != std::string::npos);
}
