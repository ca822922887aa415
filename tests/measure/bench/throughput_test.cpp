#include "measure/bench/throughput.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "measure/bench/environment.h"
#include "measure/bench/latency.h"
#include "measure/bench/throughput_report.h"
#include "support/errors.h"
#include "support/temp_folder.h"

using namespace frugal;
using doctest::Approx;
using frugal::testing::message_of;
using frugal::testing::TempFolder;

namespace {

Throughput test_of(const std::string& name, std::vector<double> seconds, double products, double bytes) {
  Throughput test;
  test.test = name;
  test.threads = 1;
  test.tokens = 10;
  test.seconds = std::move(seconds);
  test.products_per_token = products;
  test.bytes_per_token = bytes;
  return test;
}

std::vector<std::string> texts_of(const std::string& name, const std::string& content) {
  const TempFolder folder;
  testing::write_file(folder.path() / name, content);
  return read_texts(folder.path() / name);
}

}  // namespace

TEST_CASE("no test has more than all of the machine's peak, which is at least what the tests reached") {
  ThroughputReport report;
  // 100 products a second in the fastest repetition, where the kernel's own measurement saw 80; 50 bytes of 200.
  report.add({test_of("pp10", {0.2, 0.1, 0.1}, 1, 0), test_of("tg10", {1, 1}, 1, 5)}, {80, 200});
  const auto results = report.json()["results"];
  CHECK(results[0]["machine_int8_products_per_second"] == Approx(100));
  CHECK(results[0]["share_of_int8_peak"] == Approx(1));
  CHECK(results[1]["machine_int8_products_per_second"] == Approx(100));
  CHECK(results[1]["share_of_read_bandwidth"] == Approx(0.25));
  CHECK(report.as("text").find("100% of int8") != std::string::npos);
}

TEST_CASE("a rate of reading that the budget left no room to measure is unknown") {
  ThreadPool threads(1);
  Budget small(kMiB);
  const MachinePeak peak = measure_peak(threads, small);
  CHECK(peak.int8_products_per_second > 0);
  CHECK_FALSE(peak.read_bytes_per_second);
  CHECK(small.peak_bytes() <= kMiB);
  ThroughputReport report;
  report.add({test_of("tg10", {1}, 1, 5)}, peak);
  CHECK(report.json()["results"][0]["share_of_read_bandwidth"].is_null());
  CHECK(report.as("text").find("? of read") != std::string::npos);
}

TEST_CASE("texts are lines, or objects as rag-query --batch and BEIR have them") {
  using Texts = std::vector<std::string>;
  CHECK(texts_of("q.txt", "who?\n\n{\"id\": \"1\", \"query\": \"when?\"}\n{a set}\n") ==
        Texts{"who?", "when?", "{a set}"});
  CHECK(texts_of("q.jsonl", "{\"id\": 7, \"query\": \"who?\"}\n{\"_id\": \"a\", \"text\": \"when?\"}\n") ==
        Texts{"who?", "when?"});
  CHECK(message_of([] {
          texts_of("q.jsonl", "{\"query\": \"who?\"}\nwhen?\n");
        }).ends_with("q.jsonl:2: needs \"query\" or \"text\""));
}

TEST_CASE("the work of this process is not that of others") {
  const CpuShare share;
  volatile uint64_t sum = 0;
  std::optional<CpuShare::Percent> percent;
  // Until the kernel's clock of the processors has advanced.
  while (!(percent = share.since()) || percent->busy <= 0) sum = sum + 1;
  CHECK(percent->others < percent->busy);
}
