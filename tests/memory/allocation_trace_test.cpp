#include "memory/allocation_trace.h"

#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "base/error.h"
#include "support/errors.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

AllocationTrace parse(const std::string& lines) {
  const TempFolder folder;
  std::ofstream(folder.path() / "trace") << "frugal-allocations/1\n" << lines;
  return read_allocation_trace(folder.path() / "trace");
}

}  // namespace

TEST_CASE("what was recorded is read back, with the most that lived at once") {
  const TempFolder folder;
  {
    AllocationRecorder recorder(folder.path() / "trace");
    const uint64_t a = recorder.allocated(MemoryTag::activations, 100), b = recorder.allocated(MemoryTag::kv_cache, 0);
    recorder.grown(b, 50);
    recorder.freed(a);
    recorder.grown(b, 120);
    recorder.freed(b);
  }
  const AllocationTrace trace = read_allocation_trace(folder.path() / "trace");
  using Kind = AllocationEvent::Kind;
  REQUIRE(trace.events.size() == 6);
  CHECK(trace.ids == 2);
  CHECK(trace.peak_live_bytes == 150);
  CHECK(trace.events[0].kind == Kind::allocated);
  CHECK(trace.events[0].tag == MemoryTag::activations);
  CHECK(trace.events[2].kind == Kind::grown);
  CHECK(trace.events[2].bytes == 50);
  CHECK(trace.events[3].kind == Kind::freed);
  CHECK(trace.events[3].id == trace.events[0].id);
  for (size_t i = 1; i < trace.events.size(); ++i) CHECK(trace.events[i].ns >= trace.events[i - 1].ns);

  const AllocationTrace part = only(trace, MemoryTag::kv_cache);
  CHECK(part.events.size() == 4);
  CHECK(part.peak_live_bytes == 120);
}

TEST_CASE("a trace that contradicts itself is refused with its line") {
  struct Wrong {
    const char *lines, *message;
  };
  for (const Wrong& wrong : {Wrong{"+ 1 io 10 0\n+ 1 io 10 0\n", ":3: the id is allocated already"},
                             {"- 4 0\n", ":2: the id is not allocated"},
                             {"+ 1 io 10 0\n- 1 5\n= 1 20 9\n", ":4: the id is not allocated"},
                             {"+ 1 io 10 0\n= 1 9 0\n", ":3: the new size is smaller"},
                             {"+ 1 io 18446744073709551615 0\n", ":2: the size is too large for any machine"},
                             {"+ 1 io 99999999999999999999999 0\n", ":2: a number is missing"},
                             {"+ 1 io\n", ":2: a number is missing"},
                             {"+ 1 paper 10 0\n", ":2: unknown kind"},
                             {"+ 1 io 10 0\n? 1 0\n", ":3: the line begins with neither"}}) {
    CAPTURE(wrong.lines);
    CHECK(contains(message_of([&] { parse(wrong.lines); }), wrong.message));
  }
  const TempFolder folder;
  std::ofstream(folder.path() / "other") << "{\"stage\": 1}\n";
  CHECK(contains(message_of([&] { read_allocation_trace(folder.path() / "other"); }), "not an allocation trace"));
}

TEST_CASE("a record that cannot be written stops no run") {
  AllocationRecorder recorder("/nowhere/at/all");
  CHECK(recorder.allocated(MemoryTag::io, 1) != 0);
}
