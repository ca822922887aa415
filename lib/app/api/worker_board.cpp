// A slot is locked while it is copied. Its mutex is robust: a worker that is killed while it holds one costs its text.
#include "app/api/worker_board.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "base/error.h"

namespace frugal::api {

struct WorkerBoard::Slot {
  pthread_mutex_t mutex;
  size_t bytes;  // 0: nothing is posted
  char text[kMaxText];
};

namespace {

void init_shared(pthread_mutex_t& mutex) {
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutex_init(&mutex, &attributes);
  ::pthread_mutexattr_destroy(&attributes);
}

/// Holds the mutex of a slot. `bytes` becomes 0 if its last holder died.
class SlotLock {
 public:
  SlotLock(pthread_mutex_t& mutex, size_t& bytes) : mutex_(mutex) {
    if (::pthread_mutex_lock(&mutex_) != EOWNERDEAD) return;
    bytes = 0;
    ::pthread_mutex_consistent(&mutex_);
  }
  SlotLock(const SlotLock&) = delete;
  SlotLock& operator=(const SlotLock&) = delete;
  ~SlotLock() { ::pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t& mutex_;
};

}  // namespace

// The slots, then the orders.
WorkerBoard::WorkerBoard(size_t workers) : workers_(workers) {
  void* memory =
      ::mmap(nullptr, mapped_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw io_error("share memory between", "workers");
  slots_ = static_cast<Slot*>(memory);
  orders_ = new (slots_ + workers) WorkerOrders;
  for (size_t i = 0; i < workers; ++i) {
    new (&slots_[i]) Slot;  // leaves the pages of the text alone
    slots_[i].bytes = 0;
    init_shared(slots_[i].mutex);
  }
}

WorkerBoard::~WorkerBoard() {
  ::munmap(slots_, mapped_bytes());
}

size_t WorkerBoard::mapped_bytes() const {
  return workers_ * sizeof(Slot) + sizeof(WorkerOrders);
}

bool WorkerBoard::post(size_t worker, std::string_view text) {
  if (text.size() > kMaxText) return false;
  Slot& slot = slots_[worker];
  const SlotLock lock(slot.mutex, slot.bytes);
  slot.bytes = 0;
  std::memcpy(slot.text, text.data(), text.size());
  slot.bytes = text.size();
  return true;
}

std::optional<std::string> WorkerBoard::read(size_t worker) const {
  Slot& slot = slots_[worker];
  const SlotLock lock(slot.mutex, slot.bytes);
  if (slot.bytes == 0) return std::nullopt;
  return std::string(slot.text, slot.bytes);
}

}  // namespace frugal::api
