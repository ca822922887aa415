#include "base/cpu.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

using namespace frugal;

namespace {

// sched_getattr(2), as its first version has it.
struct Attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime_ns, deadline_ns, period_ns;
};

Attributes of_this_thread() {
  Attributes attributes{};
  REQUIRE(::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) == 0);
  return attributes;
}

}  // namespace

TEST_CASE("short time slices are this thread's only, and its policy and niceness stay") {
  const Attributes before = of_this_thread();
  if (before.policy != SCHED_OTHER) return;
  std::thread([] {
    REQUIRE(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 7) == 0);
    const Attributes was = of_this_thread();
    request_short_time_slices();
    const Attributes is = of_this_thread();
    CHECK(is.policy == was.policy);
    CHECK(is.nice == 7);
    CHECK((is.runtime_ns == 100'000 || is.runtime_ns == was.runtime_ns));  // a kernel before 6.12
  }).join();
  CHECK(of_this_thread().runtime_ns == before.runtime_ns);
}
